import { decodeHex, encodeUtf8 } from '@holdfast/kernel';
import {
  type AckName,
  encodeAck,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  encodeUnsubscribe,
  type MqttPacket,
  type MqttProperties,
  type MqttVersion,
  type PublishPacket,
  type Qos,
  type SubscribeEntry,
  type Will,
} from '@holdfast/wire/mqtt';
import type { ConnectOptions } from './test-core.ts';

export const X: Uint8Array = encodeUtf8('x');

export const hex = (text: string): Uint8Array<ArrayBuffer> => decodeHex(text.replaceAll(' ', ''));

/** The packets of a client of one version; identifiers are 1 unless said otherwise. */
export function speech(version: MqttVersion) {
  return {
    subscribe: (what: string | readonly SubscribeEntry[], qos: Qos = 1, properties: MqttProperties = {}) => {
      const subscriptions = typeof what === 'string' ? [{ text: what, qos }] : what;
      return encodeSubscribe({ packetId: 1, subscriptions, properties }, version);
    },
    unsubscribe: (...filters: readonly string[]) => encodeUnsubscribe({ packetId: 1, filters }, version),
    publish: (topic: string, fields: Partial<Parameters<typeof encodePublish>[0]> = {}) => {
      const { qos = 0, packetId = qos === 0 ? 0 : 1 } = fields;
      return encodePublish({ topic, payload: X, ...fields, packetId }, version);
    },
    ack: (kind: AckName, packetId = 1, reason = 0) => encodeAck({ kind, packetId, reason }, version),
    goodbye: (reason = 0) => encodeReasonPacket({ kind: 'disconnect', reason }, version),
  };
}

export function published(packets: readonly MqttPacket[]): PublishPacket[] {
  return packets.filter((packet) => packet.kind === 'publish');
}

export function topicsIn(packets: readonly MqttPacket[]): string[] {
  return published(packets).map(({ topic }) => topic);
}

/** A session that outlives its connection, and is resumed. */
export function lasting(version: MqttVersion): ConnectOptions {
  return version === 4
    ? { version, clean: false }
    : { version, clean: false, properties: { sessionExpiryInterval: 1_000 } };
}

export function will(fields: Partial<Will> = {}): Will {
  return { topic: 'will', payload: X, qos: 0, retain: false, properties: {}, ...fields };
}
