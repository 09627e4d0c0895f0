import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { readPacketId } from './acknowledgement.ts';
import { malformed, protocolError } from './faults.ts';
import { encodeFrame } from './frame-writer.ts';
import type { MqttVersion, Qos } from './packet-types.ts';
import { type MqttProperties, NO_PROPERTIES, readProperties, writeProperties } from './properties.ts';
import { readName, writeText } from './text.ts';
import { parseTopicFilter } from './topics.ts';

/** 0: send retained messages; 1: only for a new subscription; 2: never (MQTT 5, 3.8.3.1). */
export type RetainHandling = 0 | 1 | 2;

export interface SubscriptionRequest {
  /** As it came, `$share/{ShareName}/` included. */
  readonly text: string;
  readonly filter: string;
  readonly share: string | undefined;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: RetainHandling;
}

export interface SubscribePacket {
  readonly kind: 'subscribe';
  readonly packetId: number;
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties: MqttProperties;
}

export interface UnsubscribePacket {
  readonly kind: 'unsubscribe';
  readonly packetId: number;
  /** As they came, `$share/{ShareName}/` included. */
  readonly filters: readonly string[];
  readonly properties: MqttProperties;
}

export interface SubackPacket {
  readonly kind: 'suback' | 'unsuback';
  readonly packetId: number;
  /** One per filter; none in an UNSUBACK of MQTT 3.1.1. */
  readonly reasons: readonly number[];
  readonly properties: MqttProperties;
}

function readFilter(reader: ByteReader): { readonly text: string; readonly filter: string; readonly share?: string } {
  const text = readName(reader, 'topic filter');
  const parsed = parseTopicFilter(text);
  if (parsed.kind === 'invalid-share') throw protocolError('topic filter', { reason: 'shared subscription' });
  if (parsed.kind === 'invalid') throw malformed('topic filter', { reason: parsed.reason });
  return { text, filter: parsed.filter, ...(parsed.share === undefined ? {} : { share: parsed.share }) };
}

/**
 * Decodes SUBSCRIBE.
 *
 * @throws `communication.mqtt_malformed`, `communication.mqtt_protocol_error`, `wire.truncated`
 * @see MQTT 5 and MQTT 3.1.1, 3.8
 */
export function decodeSubscribe(body: Uint8Array, version: MqttVersion): SubscribePacket {
  const reader = new ByteReader(body);
  const packetId = readPacketId(reader, 'malformed');
  const properties = version === 5 ? readProperties(reader, 'subscribe') : NO_PROPERTIES;
  const subscriptions: SubscriptionRequest[] = [];
  while (reader.remaining > 0) subscriptions.push(readRequest(reader, version));
  if (subscriptions.length === 0) throw malformed('topic filter', { reason: 'none' }); // [MQTT-3.8.3-2]
  return { kind: 'subscribe', packetId, subscriptions, properties };
}

function readRequest(reader: ByteReader, version: MqttVersion): SubscriptionRequest {
  const { text, filter, share } = readFilter(reader);
  const options = reader.u8('subscription options');
  const qos = options & 3;
  const retainHandling = (options >> 4) & 3;
  const reserved = version === 5 ? options & 0xc0 : options & 0xfc;
  if (reserved !== 0 || qos === 3 || retainHandling === 3) throw malformed('subscription options', { options });
  const noLocal = (options & 4) !== 0;
  if (noLocal && share !== undefined) throw protocolError('no local', { reason: 'shared subscription' }); // [MQTT-3.8.3-4]
  return {
    text,
    filter,
    share,
    qos: qos as Qos,
    noLocal,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: retainHandling as RetainHandling,
  };
}

export interface SubscribeEntry {
  readonly text: string;
  readonly qos: Qos;
  readonly noLocal?: boolean;
  readonly retainAsPublished?: boolean;
  readonly retainHandling?: RetainHandling;
}

export function encodeSubscribe(
  packet: {
    readonly packetId: number;
    readonly subscriptions: readonly SubscribeEntry[];
    readonly properties?: MqttProperties;
  },
  version: MqttVersion,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter().u16be(packet.packetId);
  if (version === 5) writeProperties(writer, packet.properties);
  for (const { text, qos, noLocal, retainAsPublished, retainHandling = 0 } of packet.subscriptions) {
    writeText(writer, text, 'topic filter');
    const options = (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4);
    writer.u8(version === 5 ? qos | options : qos);
  }
  return encodeFrame(0x82, writer.finish());
}

/** @see MQTT 5 and MQTT 3.1.1, 3.10 */
export function decodeUnsubscribe(body: Uint8Array, version: MqttVersion): UnsubscribePacket {
  const reader = new ByteReader(body);
  const packetId = readPacketId(reader, 'malformed');
  const properties = version === 5 ? readProperties(reader, 'unsubscribe') : NO_PROPERTIES;
  const filters: string[] = [];
  while (reader.remaining > 0) filters.push(readFilter(reader).text);
  if (filters.length === 0) throw malformed('topic filter', { reason: 'none' }); // [MQTT-3.10.3-2]
  return { kind: 'unsubscribe', packetId, filters, properties };
}

export function encodeUnsubscribe(
  packet: { readonly packetId: number; readonly filters: readonly string[]; readonly properties?: MqttProperties },
  version: MqttVersion,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter().u16be(packet.packetId);
  if (version === 5) writeProperties(writer, packet.properties);
  for (const filter of packet.filters) writeText(writer, filter, 'topic filter');
  return encodeFrame(0xa2, writer.finish());
}

/** @see MQTT 5 and MQTT 3.1.1, 3.9 and 3.11 */
export function decodeSuback(kind: 'suback' | 'unsuback', body: Uint8Array, version: MqttVersion): SubackPacket {
  const reader = new ByteReader(body);
  const packetId = readPacketId(reader, 'protocol');
  const properties = version === 5 ? readProperties(reader, kind) : NO_PROPERTIES;
  const reasons = [...reader.take(reader.remaining, 'reason codes')];
  const wantsNone = kind === 'unsuback' && version === 4;
  if (wantsNone !== (reasons.length === 0)) throw malformed('reason codes', { count: reasons.length });
  return { kind, packetId, reasons, properties };
}

export function encodeSuback(
  packet: {
    readonly kind: 'suback' | 'unsuback';
    readonly packetId: number;
    readonly reasons: readonly number[];
    readonly properties?: MqttProperties;
  },
  version: MqttVersion,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter().u16be(packet.packetId);
  if (version === 5) writeProperties(writer, packet.properties);
  if (version === 5 || packet.kind === 'suback') for (const reason of packet.reasons) writer.u8(reason);
  return encodeFrame(packet.kind === 'suback' ? 0x90 : 0xb0, writer.finish());
}
