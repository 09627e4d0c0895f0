import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { malformed, protocolError } from './faults.ts';
import { encodeFrame } from './frame-writer.ts';
import { type MqttVersion, PACKET_TYPE } from './packet-types.ts';
import { type MqttProperties, NO_PROPERTIES, readProperties, writeProperties } from './properties.ts';
import { PUBLISH_REASONS, REASON, RELEASE_REASONS } from './reason-codes.ts';

export type AckName = 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';

/** PUBACK, PUBREC, PUBREL and PUBCOMP have one form. */
export interface AckPacket {
  readonly kind: AckName;
  readonly packetId: number;
  readonly reason: number;
  readonly properties: MqttProperties;
}

const REASONS: Readonly<Record<AckName, ReadonlySet<number>>> = {
  puback: PUBLISH_REASONS,
  pubrec: PUBLISH_REASONS,
  pubrel: RELEASE_REASONS,
  pubcomp: RELEASE_REASONS,
};

/** Reads a packet identifier; zero is none [MQTT-2.2.1-3]. */
export function readPacketId(reader: ByteReader, zero: 'malformed' | 'protocol'): number {
  const packetId = reader.u16be('packet identifier');
  if (packetId !== 0) return packetId;
  throw zero === 'malformed' ? malformed('packet identifier') : protocolError('packet identifier');
}

/**
 * Decodes an acknowledgement. In MQTT 5 the reason and the properties may be left out (3.4.2.1).
 *
 * @throws `communication.mqtt_malformed`, `communication.mqtt_protocol_error` for an identifier of 0 or a reason that
 * this packet may not carry, `wire.truncated`, `wire.trailing_bytes`
 */
export function decodeAck(kind: AckName, body: Uint8Array, version: MqttVersion): AckPacket {
  const reader = new ByteReader(body);
  const packetId = readPacketId(reader, 'protocol');
  let reason: number = REASON.success;
  let properties = NO_PROPERTIES;
  if (version === 5 && reader.remaining > 0) reason = reader.u8('reason code');
  if (version === 5 && reader.remaining > 0) properties = readProperties(reader, kind);
  reader.end(kind);
  if (!REASONS[kind].has(reason)) throw protocolError('reason code', { reason });
  return { kind, packetId, reason, properties };
}

/** Encodes an acknowledgement in its shortest form. */
export function encodeAck(
  packet: {
    readonly kind: AckName;
    readonly packetId: number;
    readonly reason?: number;
    readonly properties?: MqttProperties;
  },
  version: MqttVersion,
): Uint8Array<ArrayBuffer> {
  const { kind, packetId, reason = REASON.success, properties = NO_PROPERTIES } = packet;
  const first = (PACKET_TYPE[kind] << 4) | (kind === 'pubrel' ? 2 : 0);
  if (version === 4 || (reason === REASON.success && properties === NO_PROPERTIES)) {
    return Uint8Array.of(first, 2, packetId >> 8, packetId & 0xff);
  }
  if (properties === NO_PROPERTIES) return Uint8Array.of(first, 3, packetId >> 8, packetId & 0xff, reason);
  const writer = new ByteWriter(16).u16be(packetId).u8(reason);
  writeProperties(writer, properties);
  return encodeFrame(first, writer.finish());
}
