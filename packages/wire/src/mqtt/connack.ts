import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { malformed } from './faults.ts';
import { encodeFrame } from './frame-writer.ts';
import type { MqttVersion } from './packet-types.ts';
import { type MqttProperties, NO_PROPERTIES, readProperties, writeProperties } from './properties.ts';

export interface ConnackPacket {
  readonly kind: 'connack';
  readonly sessionPresent: boolean;
  /** A return code in MQTT 3.1.1, a reason code in MQTT 5. */
  readonly reason: number;
  readonly properties: MqttProperties;
}

/** @see MQTT 5 and MQTT 3.1.1, 3.2 */
export function decodeConnack(body: Uint8Array, version: MqttVersion): ConnackPacket {
  const reader = new ByteReader(body);
  const flags = reader.u8('connect acknowledge flags');
  if (flags > 1) throw malformed('connect acknowledge flags'); // [MQTT-3.2.2-1]
  const reason = reader.u8('reason code');
  const properties = version === 5 ? readProperties(reader, 'connack') : NO_PROPERTIES;
  reader.end('connack');
  return { kind: 'connack', sessionPresent: flags === 1, reason, properties };
}

export function encodeConnack(
  packet: { readonly sessionPresent: boolean; readonly reason: number; readonly properties?: MqttProperties },
  version: MqttVersion,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.u8(packet.sessionPresent ? 1 : 0).u8(packet.reason);
  if (version === 5) writeProperties(writer, packet.properties);
  return encodeFrame(0x20, writer.finish());
}
