import type { mqtt } from 'aws-iot-device-sdk-v2';

type Handler<Reply> = (error?: Error, reply?: Reply) => void;

/** The three steps that the SDK's first service clients leave to the application. */
export interface ServiceCall<Accepted, Rejected> {
  readonly accepted: (handler: Handler<Accepted>) => Promise<mqtt.MqttSubscribeRequest>;
  readonly rejected: (handler: Handler<Rejected>) => Promise<mqtt.MqttSubscribeRequest>;
  readonly publish: () => Promise<mqtt.MqttRequest>;
}

/** A refusal as the server worded it. */
class ServiceRejection extends Error {
  readonly reply: unknown;

  constructor(reply: unknown) {
    super(`rejected: ${JSON.stringify(reply)}`);
    this.reply = reply;
  }
}

/** Subscribes to both answers, publishes, and waits for one of them. @throws ServiceRejection */
export async function callService<Accepted, Rejected>(call: ServiceCall<Accepted, Rejected>): Promise<Accepted> {
  const { promise, resolve, reject } = Promise.withResolvers<Accepted>();
  // Nobody may wait yet when the answer comes.
  promise.catch(() => undefined);
  await call.accepted((error, reply) => (reply === undefined ? reject(error) : resolve(reply)));
  await call.rejected((error, reply) => reject(error ?? new ServiceRejection(reply)));
  await call.publish();
  return await promise;
}
