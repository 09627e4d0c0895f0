import { type EventEmitter, once } from 'node:events';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { type EnrolledDevice, HOST, type HoldfastWorld } from '../../world/holdfast-world.ts';

export const REPLY_LIMIT_MS = 5_000;

export interface MqttJsLink {
  readonly client: MqttClient;
  readonly sessionPresent: boolean;
}

/** Connects mqtt.js as a device, to the MQTT port unless told otherwise; it does not try again. */
export async function connectMqttJs(
  world: HoldfastWorld,
  device: EnrolledDevice,
  { url = `mqtts://${HOST}:${world.ports.mqtt}`, ...options }: IClientOptions & { readonly url?: string },
): Promise<MqttJsLink> {
  const client = connect(url, {
    ca: world.rootPem,
    cert: device.certificatePem,
    key: device.privateKeyPem,
    clientId: device.deviceId,
    reconnectPeriod: 0,
    connectTimeout: REPLY_LIMIT_MS,
    ...options,
  });
  try {
    const [connack] = (await once(emitterOf(client), 'connect')) as [{ readonly sessionPresent: boolean }];
    // What comes later is the business of the call that provoked it.
    client.on('error', () => undefined);
    return { client, sessionPresent: connack.sessionPresent };
  } catch (error) {
    await client.endAsync(true);
    throw error;
  }
}

export async function nextMessage(client: MqttClient): Promise<{ readonly topic: string; readonly payload: Buffer }> {
  const [topic, payload] = (await once(emitterOf(client), 'message', {
    signal: AbortSignal.timeout(REPLY_LIMIT_MS),
  })) as [string, Buffer];
  return { topic, payload };
}

/** The client is an emitter of Node's whose types are its own. */
export function emitterOf(client: MqttClient): EventEmitter {
  return client as unknown as EventEmitter;
}
