import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { encodeFrame } from './frame-writer.ts';
import type { MqttVersion } from './packet-types.ts';
import { type MqttProperties, NO_PROPERTIES, readProperties, writeProperties } from './properties.ts';
import { REASON } from './reason-codes.ts';

/** DISCONNECT, and AUTH which has the same form. */
export interface ReasonPacket {
  readonly kind: 'disconnect' | 'auth';
  readonly reason: number;
  readonly properties: MqttProperties;
}

export const PINGREQ: Uint8Array = Uint8Array.of(0xc0, 0);
export const PINGRESP: Uint8Array = Uint8Array.of(0xd0, 0);

/**
 * Decodes DISCONNECT or AUTH. Which reason codes make sense is left to the receiver: the sender has left already.
 *
 * @see MQTT 5, 3.14 and 3.15; MQTT 3.1.1, 3.14
 */
export function decodeReasonPacket(kind: 'disconnect' | 'auth', body: Uint8Array, version: MqttVersion): ReasonPacket {
  const reader = new ByteReader(body);
  let reason: number = REASON.success;
  let properties = NO_PROPERTIES;
  if (version === 5 && reader.remaining > 0) reason = reader.u8('reason code');
  if (version === 5 && reader.remaining > 0) properties = readProperties(reader, kind);
  reader.end(kind);
  return { kind, reason, properties };
}

/** Encodes DISCONNECT or AUTH in its shortest form. */
export function encodeReasonPacket(
  packet: {
    readonly kind: 'disconnect' | 'auth';
    readonly reason?: number;
    readonly properties?: MqttProperties;
  },
  version: MqttVersion,
): Uint8Array<ArrayBuffer> {
  const { kind, reason = REASON.success, properties = NO_PROPERTIES } = packet;
  const first = kind === 'disconnect' ? 0xe0 : 0xf0;
  const writer = new ByteWriter(16);
  const plain = Object.keys(properties).length === 0;
  if (version === 5 && (reason !== REASON.success || !plain)) writer.u8(reason);
  if (version === 5 && !plain) writeProperties(writer, properties);
  return encodeFrame(first, writer.finish());
}
