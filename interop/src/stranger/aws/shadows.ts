import { once } from 'node:events';
import type { iotshadow } from 'aws-iot-device-sdk-v2';
import { type AwsLink, loadSdk } from './aws-link.ts';
import type { Generation } from './provisioning.ts';
import { callService } from './service-calls.ts';

type State = iotshadow.model.ShadowState;
type Named = { readonly thingName: string; readonly shadowName: string };

/** A named shadow as a device uses it, whichever generation asks. */
export interface ShadowOf {
  /** Starts to listen; the promise inside gives the first difference. */
  readonly listen: () => Promise<{ readonly delta: Promise<iotshadow.model.ShadowDeltaUpdatedEvent> }>;
  readonly get: () => Promise<iotshadow.model.GetShadowResponse>;
  readonly update: (state: State, version?: number) => Promise<iotshadow.model.UpdateShadowResponse>;
  readonly remove: () => Promise<iotshadow.model.DeleteShadowResponse>;
  readonly close: () => void;
}

export function shadowOf(link: AwsLink, generation: Generation, shadow: Named): Promise<ShadowOf> {
  return generation === 'v1' ? firstGeneration(link, shadow) : secondGeneration(link, shadow);
}

async function firstGeneration(link: AwsLink, shadow: Named): Promise<ShadowOf> {
  const { iotshadow, mqtt } = await loadSdk();
  const { IotShadowClient } = iotshadow;
  const client =
    link.protocol === '5' ? IotShadowClient.newFromMqtt5Client(link.client) : new IotShadowClient(link.connection);
  const qos = mqtt.QoS.AtLeastOnce;
  return {
    listen: async () => {
      const { promise, resolve, reject } = Promise.withResolvers<iotshadow.model.ShadowDeltaUpdatedEvent>();
      await client.subscribeToNamedShadowDeltaUpdatedEvents(shadow, qos, (error, event) => {
        if (event === undefined) reject(error);
        else resolve(event);
      });
      return { delta: promise };
    },
    get: () =>
      callService({
        accepted: (handler) => client.subscribeToGetNamedShadowAccepted(shadow, qos, handler),
        rejected: (handler) => client.subscribeToGetNamedShadowRejected(shadow, qos, handler),
        publish: () => client.publishGetNamedShadow(shadow, qos),
      }),
    update: (state, version) =>
      callService({
        accepted: (handler) => client.subscribeToUpdateNamedShadowAccepted(shadow, qos, handler),
        rejected: (handler) => client.subscribeToUpdateNamedShadowRejected(shadow, qos, handler),
        publish: () => client.publishUpdateNamedShadow({ ...shadow, state, ...versionOf(version) }, qos),
      }),
    remove: () =>
      callService({
        accepted: (handler) => client.subscribeToDeleteNamedShadowAccepted(shadow, qos, handler),
        rejected: (handler) => client.subscribeToDeleteNamedShadowRejected(shadow, qos, handler),
        publish: () => client.publishDeleteNamedShadow(shadow, qos),
      }),
    close: () => undefined,
  };
}

async function secondGeneration(link: AwsLink, shadow: Named): Promise<ShadowOf> {
  const { iotshadow, mqtt_request_response } = await loadSdk();
  const { IotShadowClientv2 } = iotshadow;
  const options = { maxRequestResponseSubscriptions: 8, maxStreamingSubscriptions: 2, operationTimeoutInSeconds: 20 };
  const client =
    link.protocol === '5'
      ? IotShadowClientv2.newFromMqtt5(link.client, options)
      : IotShadowClientv2.newFromMqtt311(link.connection, options);
  return {
    listen: async () => {
      const { promise, resolve } = Promise.withResolvers<iotshadow.model.ShadowDeltaUpdatedEvent>();
      const stream = client.createNamedShadowDeltaUpdatedStream(shadow);
      stream.on('incomingPublish', ({ message }) => resolve(message));
      const established = once(stream, mqtt_request_response.StreamingOperation.SUBSCRIPTION_STATUS);
      stream.open();
      await established;
      return { delta: promise };
    },
    get: () => client.getNamedShadow(shadow),
    update: (state, version) => client.updateNamedShadow({ ...shadow, state, ...versionOf(version) }),
    remove: () => client.deleteNamedShadow(shadow),
    close: () => client.close(),
  };
}

function versionOf(version: number | undefined): { readonly version?: number } {
  return version === undefined ? {} : { version };
}
