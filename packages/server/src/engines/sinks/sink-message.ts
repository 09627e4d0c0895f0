import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8, type EpochMs, HoldfastError } from '@holdfast/kernel';
import type { Qos } from '@holdfast/wire/mqtt';

/** A message as it is spooled. */
export interface SinkMessage {
  readonly topic: string;
  /** Undefined for what the server itself said. */
  readonly deviceId: string | undefined;
  readonly qos: Qos;
  readonly retain: boolean;
  /** When the server took it. */
  readonly at: EpochMs;
  readonly payload: Uint8Array;
  /** MQTT 5 properties that travel with it, encoded. */
  readonly properties: Uint8Array;
}

/** A spooled message and its place; the place is also its identity. */
export interface SpooledMessage extends SinkMessage {
  readonly offset: number;
}

const RETAIN = 0x04;

/** Flags, time, then topic, device, properties and payload, each after its length. */
export function encodeSinkMessage(message: SinkMessage): Uint8Array {
  const topic = encodeUtf8(message.topic);
  const device = encodeUtf8(message.deviceId ?? '');
  const { payload, properties } = message;
  return new ByteWriter(32 + topic.length + device.length + payload.length + properties.length)
    .u8(message.qos | (message.retain ? RETAIN : 0))
    .u64be(BigInt(message.at))
    .u16be(topic.length)
    .bytes(topic)
    .u16be(device.length)
    .bytes(device)
    .u32be(properties.length)
    .bytes(properties)
    .u32be(payload.length)
    .bytes(payload)
    .finish();
}

/**
 * Decodes the messages of one block, which come one after the other.
 *
 * @throws `wire.truncated`, `wire.trailing_bytes`, `wire.malformed`
 */
export function decodeSinkMessages(bytes: Uint8Array, from: number, count: number): readonly SpooledMessage[] {
  const reader = new ByteReader(bytes);
  const messages: SpooledMessage[] = [];
  for (let at = 0; at < count; at++) messages.push({ offset: from + at, ...readOne(reader) });
  reader.end('block');
  return messages;
}

function readOne(reader: ByteReader): SinkMessage {
  const flags = reader.u8('flags');
  const qos = flags & 0x03;
  if (qos === 3 || flags > 0x06) throw new HoldfastError('wire.malformed', { field: 'flags' });
  const at = Number(reader.u64be('time'));
  const topic = decodeUtf8(reader.take(reader.u16be('topic length'), 'topic'), 'topic');
  const device = decodeUtf8(reader.take(reader.u16be('device length'), 'device'), 'device');
  const properties = reader.take(reader.u32be('properties length'), 'properties');
  const payload = reader.take(reader.u32be('payload length'), 'payload');
  const deviceId = device === '' ? undefined : device;
  return { topic, deviceId, qos: qos as Qos, retain: (flags & RETAIN) !== 0, at, payload, properties };
}
