import { ByteWriter, concatBytes } from '@holdfast/kernel';
import { malformed, protocolError } from './faults.ts';
import { type MqttVersion, PACKET_TYPE, type Qos } from './packet-types.ts';
import {
  decodeProperties,
  encodeProperties,
  type MqttProperties,
  NO_PROPERTIES,
  walkProperties,
} from './properties.ts';
import { decodeName, writeText } from './text.ts';
import { isTopicName } from './topics.ts';
import { varintLength, writeVarint } from './varint.ts';

/** Where the parts of a PUBLISH lie: offsets into the bytes that were scanned. Filled anew by each scan. */
export interface PublishScan {
  qos: Qos;
  dup: boolean;
  retain: boolean;
  topicStart: number;
  topicEnd: number;
  /** 0 at QoS 0. */
  packetId: number;
  /** Where the packet identifier lies; -1 at QoS 0. */
  packetIdAt: number;
  propertiesStart: number;
  propertiesEnd: number;
  payloadStart: number;
  payloadEnd: number;
}

export function createPublishScan(): PublishScan {
  return {
    qos: 0,
    dup: false,
    retain: false,
    topicStart: 0,
    topicEnd: 0,
    packetId: 0,
    packetIdAt: -1,
    propertiesStart: 0,
    propertiesEnd: 0,
    payloadStart: 0,
    payloadEnd: 0,
  };
}

/**
 * Finds the parts of a PUBLISH without copying or decoding one of them.
 *
 * @param first - first byte of the packet. @param body, end - bounds of what follows the fixed header.
 * @throws `communication.mqtt_malformed` (QoS 3, DUP at QoS 0, a part that does not fit),
 * `communication.mqtt_protocol_error` (packet identifier 0).
 * @see MQTT 5 and MQTT 3.1.1, 3.3
 */
export function scanPublish(
  first: number,
  bytes: Uint8Array,
  body: number,
  end: number,
  version: MqttVersion,
  scan: PublishScan,
): void {
  const qos = (first >> 1) & 3;
  if (qos === 3) throw malformed('qos'); // [MQTT-3.3.1-4]
  scan.qos = qos as Qos;
  scan.dup = (first & 8) !== 0;
  scan.retain = (first & 1) !== 0;
  if (scan.dup && qos === 0) throw malformed('dup'); // [MQTT-3.3.1-2]

  if (body + 2 > end) throw malformed('topic name');
  const topicStart = body + 2;
  let at = topicStart + (((bytes[body] ?? 0) << 8) | (bytes[body + 1] ?? 0));
  if (at > end) throw malformed('topic name');
  scan.topicStart = topicStart;
  scan.topicEnd = at;
  scan.packetId = 0;
  scan.packetIdAt = -1;
  if (qos > 0) {
    if (at + 2 > end) throw malformed('packet identifier');
    scan.packetIdAt = at;
    scan.packetId = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    if (scan.packetId === 0) throw protocolError('packet identifier'); // [MQTT-2.2.1-3]
    at += 2;
  }
  scan.propertiesStart = at;
  scan.propertiesEnd = at;
  if (version === 5) at = scanPropertyLength(bytes, at, end, scan);
  scan.payloadStart = at;
  scan.payloadEnd = end;
}

function scanPropertyLength(bytes: Uint8Array, start: number, end: number, scan: PublishScan): number {
  let length = 0;
  let at = start;
  for (let index = 0, scale = 1; ; index++, scale *= 128) {
    if (index === 4 || at >= end) throw malformed('property length');
    const byte = bytes[at++] ?? 0;
    length += (byte & 0x7f) * scale;
    if (byte >= 0x80) continue;
    if (byte === 0 && index > 0) throw malformed('property length', { reason: 'not minimal' });
    break;
  }
  if (at + length > end) throw malformed('property length');
  scan.propertiesStart = at;
  scan.propertiesEnd = at + length;
  return at + length;
}

/** What a receiver must know of a PUBLISH's properties; the rest travels on as it came [MQTT-3.3.2-17, 18, 20]. */
export interface PublishOptions {
  readonly topicAlias: number | undefined;
  /** Seconds. */
  readonly messageExpiryInterval: number | undefined;
  readonly hasSubscriptionIdentifier: boolean;
  /** Properties to pass on, encoded: all but alias, expiry and subscription identifiers, in the order they came. */
  readonly passedOn: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

export const NO_PUBLISH_OPTIONS: PublishOptions = {
  topicAlias: undefined,
  messageExpiryInterval: undefined,
  hasSubscriptionIdentifier: false,
  passedOn: NO_BYTES,
};

/** Reads and judges the properties of a PUBLISH. */
export function readPublishOptions(bytes: Uint8Array): PublishOptions {
  if (bytes.length === 0) return NO_PUBLISH_OPTIONS;
  let topicAlias: number | undefined;
  let messageExpiryInterval: number | undefined;
  let hasSubscriptionIdentifier = false;
  const parts: Uint8Array[] = [];
  walkProperties(bytes, 'publish', (row, value, from, to) => {
    if (row.name === 'topicAlias') topicAlias = value as number;
    else if (row.name === 'messageExpiryInterval') messageExpiryInterval = value as number;
    else if (row.name === 'subscriptionIdentifiers') hasSubscriptionIdentifier = true;
    else parts.push(bytes.subarray(from, to));
  });
  const passedOn = parts.length === 0 ? NO_BYTES : concatBytes(...parts);
  return { topicAlias, messageExpiryInterval, hasSubscriptionIdentifier, passedOn };
}

/** How a PUBLISH is to be written; `properties` already encoded, without their length. */
export interface PublishParts {
  readonly topic: Uint8Array;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly packetId: number;
  readonly properties: Uint8Array;
}

/** Size of the whole packet that {@link writePublish} makes. */
export function publishSize(parts: PublishParts, version: MqttVersion): number {
  const remaining = remainingLength(parts, version);
  return 1 + varintLength(remaining) + remaining;
}

function remainingLength(parts: PublishParts, version: MqttVersion): number {
  const properties = version === 5 ? varintLength(parts.properties.length) + parts.properties.length : 0;
  return 2 + parts.topic.length + (parts.qos > 0 ? 2 : 0) + properties + parts.payload.length;
}

/** Encodes a PUBLISH; `packetIdAt` is where its identifier lies (-1 at QoS 0), to be patched in copies. */
export function writePublish(
  parts: PublishParts,
  version: MqttVersion,
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly packetIdAt: number } {
  const remaining = remainingLength(parts, version);
  const writer = new ByteWriter(remaining + 5);
  const flags = (parts.dup ? 8 : 0) | (parts.qos << 1) | (parts.retain ? 1 : 0);
  writer.u8((PACKET_TYPE.publish << 4) | flags);
  writeVarint(writer, remaining, 'remaining length');
  writer.u16be(parts.topic.length).bytes(parts.topic);
  let packetIdAt = -1;
  if (parts.qos > 0) {
    packetIdAt = writer.length;
    writer.u16be(parts.packetId);
  }
  if (version === 5) {
    writeVarint(writer, parts.properties.length, 'property length');
    writer.bytes(parts.properties);
  }
  return { bytes: writer.bytes(parts.payload).finish(), packetIdAt };
}

/** A PUBLISH as a client sees it. */
export interface PublishPacket {
  readonly kind: 'publish';
  /** Empty when a topic alias stands for it. */
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly dup: boolean;
  readonly retain: boolean;
  /** 0 at QoS 0. */
  readonly packetId: number;
  readonly properties: MqttProperties;
}

/** Decodes a whole PUBLISH; the payload is a view. */
export function decodePublish(first: number, body: Uint8Array, version: MqttVersion): PublishPacket {
  const scan = createPublishScan();
  scanPublish(first, body, 0, body.length, version, scan);
  const properties = decodeProperties(body.subarray(scan.propertiesStart, scan.propertiesEnd), 'publish');
  const topic = decodeName(body.subarray(scan.topicStart, scan.topicEnd), 'topic name');
  const aliased = topic.length === 0 && properties.topicAlias !== undefined;
  if (topic.length === 0 && version === 5 && !aliased) throw protocolError('topic name', { reason: 'empty' });
  if (!aliased && !isTopicName(topic)) throw malformed('topic name');
  const payload = body.subarray(scan.payloadStart, scan.payloadEnd);
  const { qos, dup, retain, packetId } = scan;
  return { kind: 'publish', topic, payload, qos, dup, retain, packetId, properties };
}

/**
 * Encodes a PUBLISH from its fields.
 *
 * @throws `communication.mqtt_malformed` for a packet identifier that does not go with the QoS, or a text that cannot
 * travel.
 */
export function encodePublish(
  packet: {
    readonly topic: string;
    readonly payload: Uint8Array;
    readonly qos?: Qos;
    readonly dup?: boolean;
    readonly retain?: boolean;
    readonly packetId?: number;
    readonly properties?: MqttProperties;
  },
  version: MqttVersion,
): Uint8Array<ArrayBuffer> {
  const { topic, payload, qos = 0, dup = false, retain = false, packetId = 0, properties = NO_PROPERTIES } = packet;
  if (qos > 0 !== packetId > 0) throw malformed('packet identifier', { qos, packetId });
  const text = new ByteWriter(topic.length + 2);
  writeText(text, topic, 'topic name');
  const parts: PublishParts = {
    topic: text.finish().subarray(2),
    payload,
    qos,
    dup,
    retain,
    packetId,
    properties: encodeProperties(properties),
  };
  return writePublish(parts, version).bytes;
}

/** The topic of a scanned PUBLISH as text; an empty one (an alias stands for it) gives an empty string. */
export function decodeTopic(bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  const topic = decodeName(bytes, 'topic name');
  if (!isTopicName(topic)) throw malformed('topic name');
  return topic;
}
