import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { malformed, protocolError } from './faults.ts';
import type { PacketName } from './packet-types.ts';
import { readBinary, readText, writeBinary, writeText } from './text.ts';
import { isTopicName } from './topics.ts';
import { readVarint, writeVarint } from './varint.ts';

/** Where properties stand: in a packet, or with the will inside CONNECT. */
export type PropertyPlace = PacketName | 'will';

export type UserProperty = readonly [name: string, value: string];

/** MQTT 5 properties by name; times are seconds, sizes bytes. */
export interface MqttProperties {
  readonly payloadFormatIndicator?: number;
  readonly messageExpiryInterval?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly subscriptionIdentifiers?: readonly number[];
  readonly sessionExpiryInterval?: number;
  readonly assignedClientIdentifier?: string;
  readonly serverKeepAlive?: number;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
  readonly requestProblemInformation?: number;
  readonly willDelayInterval?: number;
  readonly requestResponseInformation?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly reasonString?: string;
  readonly receiveMaximum?: number;
  readonly topicAliasMaximum?: number;
  readonly topicAlias?: number;
  readonly maximumQos?: number;
  readonly retainAvailable?: number;
  readonly userProperties?: readonly UserProperty[];
  readonly maximumPacketSize?: number;
  readonly wildcardSubscriptionAvailable?: number;
  readonly subscriptionIdentifierAvailable?: number;
  readonly sharedSubscriptionAvailable?: number;
}

export const NO_PROPERTIES: MqttProperties = {};

type PropertyType = 'byte' | 'u16' | 'u32' | 'varint' | 'text' | 'binary' | 'pair';

interface PropertyRow {
  readonly id: number;
  readonly name: keyof MqttProperties;
  readonly type: PropertyType;
  readonly places: readonly PropertyPlace[];
  /** What a value must satisfy beyond its type; breaking it is a protocol error. */
  readonly rule?: 'boolean' | 'not-zero' | 'topic-name';
  /** Where it may stand more than once. */
  readonly repeats?: readonly PropertyPlace[];
}

const WITH_REASON: readonly PropertyPlace[] = [
  'connack',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'suback',
  'unsuback',
  'disconnect',
  'auth',
];
const EVERYWHERE: readonly PropertyPlace[] = ['connect', 'publish', 'will', 'subscribe', 'unsubscribe', ...WITH_REASON];

/** MQTT 5 table 2-4. */
export const PROPERTY_ROWS: readonly PropertyRow[] = [
  { id: 0x01, name: 'payloadFormatIndicator', type: 'byte', places: ['publish', 'will'], rule: 'boolean' },
  { id: 0x02, name: 'messageExpiryInterval', type: 'u32', places: ['publish', 'will'] },
  { id: 0x03, name: 'contentType', type: 'text', places: ['publish', 'will'] },
  { id: 0x08, name: 'responseTopic', type: 'text', places: ['publish', 'will'], rule: 'topic-name' },
  { id: 0x09, name: 'correlationData', type: 'binary', places: ['publish', 'will'] },
  {
    id: 0x0b,
    name: 'subscriptionIdentifiers',
    type: 'varint',
    places: ['publish', 'subscribe'],
    repeats: ['publish'],
  },
  { id: 0x11, name: 'sessionExpiryInterval', type: 'u32', places: ['connect', 'connack', 'disconnect'] },
  { id: 0x12, name: 'assignedClientIdentifier', type: 'text', places: ['connack'] },
  { id: 0x13, name: 'serverKeepAlive', type: 'u16', places: ['connack'] },
  { id: 0x15, name: 'authenticationMethod', type: 'text', places: ['connect', 'connack', 'auth'] },
  { id: 0x16, name: 'authenticationData', type: 'binary', places: ['connect', 'connack', 'auth'] },
  { id: 0x17, name: 'requestProblemInformation', type: 'byte', places: ['connect'], rule: 'boolean' },
  { id: 0x18, name: 'willDelayInterval', type: 'u32', places: ['will'] },
  { id: 0x19, name: 'requestResponseInformation', type: 'byte', places: ['connect'], rule: 'boolean' },
  { id: 0x1a, name: 'responseInformation', type: 'text', places: ['connack'] },
  { id: 0x1c, name: 'serverReference', type: 'text', places: ['connack', 'disconnect'] },
  { id: 0x1f, name: 'reasonString', type: 'text', places: WITH_REASON },
  { id: 0x21, name: 'receiveMaximum', type: 'u16', places: ['connect', 'connack'], rule: 'not-zero' },
  { id: 0x22, name: 'topicAliasMaximum', type: 'u16', places: ['connect', 'connack'] },
  { id: 0x23, name: 'topicAlias', type: 'u16', places: ['publish'], rule: 'not-zero' },
  { id: 0x24, name: 'maximumQos', type: 'byte', places: ['connack'], rule: 'boolean' },
  { id: 0x25, name: 'retainAvailable', type: 'byte', places: ['connack'], rule: 'boolean' },
  { id: 0x26, name: 'userProperties', type: 'pair', places: EVERYWHERE, repeats: EVERYWHERE },
  { id: 0x27, name: 'maximumPacketSize', type: 'u32', places: ['connect', 'connack'], rule: 'not-zero' },
  { id: 0x28, name: 'wildcardSubscriptionAvailable', type: 'byte', places: ['connack'], rule: 'boolean' },
  { id: 0x29, name: 'subscriptionIdentifierAvailable', type: 'byte', places: ['connack'], rule: 'boolean' },
  { id: 0x2a, name: 'sharedSubscriptionAvailable', type: 'byte', places: ['connack'], rule: 'boolean' },
];

const ROW_BY_ID: readonly (PropertyRow | undefined)[] = byId();

function byId(): (PropertyRow | undefined)[] {
  const rows: (PropertyRow | undefined)[] = [];
  for (const row of PROPERTY_ROWS) rows[row.id] = row;
  return rows;
}

type PropertyValue = number | string | Uint8Array | UserProperty;

const READ: Readonly<Record<PropertyType, (reader: ByteReader, field: string) => PropertyValue>> = {
  byte: (reader, field) => reader.u8(field),
  u16: (reader, field) => reader.u16be(field),
  u32: (reader, field) => reader.u32be(field),
  varint: readIdentifier,
  text: readText,
  binary: readBinary,
  pair: (reader, field) => [readText(reader, field), readText(reader, field)],
};

/** The only varint property is the subscription identifier; its value 0 is malformed (3.8.2.1.2). */
function readIdentifier(reader: ByteReader, field: string): number {
  const value = readVarint(reader, field);
  if (value === 0) throw malformed(field, { value });
  return value;
}

/** Gets each property in wire order; `from` and `to` bound its bytes, identifier included. */
export type PropertyVisitor = (row: PropertyRow, value: PropertyValue, from: number, to: number) => void;

/**
 * Walks the properties between two offsets, judging them all.
 *
 * What cannot be parsed counts before what is not allowed, so that a packet has one verdict whatever the order.
 *
 * @throws `communication.mqtt_malformed` for an unknown identifier or a broken value.
 * @throws `communication.mqtt_protocol_error` for a property that stands twice, has a forbidden value, or stands in
 * the wrong packet (in SUBSCRIBE and UNSUBSCRIBE the last is malformed: brokers in the field agree on that).
 */
export function walkProperties(bytes: Uint8Array, place: PropertyPlace, visit: PropertyVisitor): void {
  const reader = new ByteReader(bytes);
  const seen = new Set<number>();
  let fault: Error | undefined;
  while (reader.remaining > 0) {
    const from = reader.offset;
    const id = readVarint(reader, 'property identifier');
    const row = ROW_BY_ID[id];
    if (row === undefined) throw malformed('property identifier', { id });
    const value = READ[row.type](reader, row.name);
    fault ??= misplaced(row, place) ?? repeated(row, place, seen) ?? forbidden(row, value);
    seen.add(id);
    visit(row, value, from, reader.offset);
  }
  if (fault !== undefined) throw fault;
}

function misplaced(row: PropertyRow, place: PropertyPlace): Error | undefined {
  if (row.places.includes(place)) return undefined;
  const strict = place === 'subscribe' || place === 'unsubscribe';
  return strict ? malformed(row.name, { place }) : protocolError(row.name, { place });
}

function repeated(row: PropertyRow, place: PropertyPlace, seen: ReadonlySet<number>): Error | undefined {
  if (!seen.has(row.id) || row.repeats?.includes(place) === true) return undefined;
  return protocolError(row.name, { reason: 'twice' });
}

function forbidden(row: PropertyRow, value: PropertyValue): Error | undefined {
  if (row.rule === 'boolean' && (value as number) > 1) return protocolError(row.name, { reason: 'not 0 or 1' });
  if (row.rule === 'not-zero' && value === 0) return protocolError(row.name, { reason: 'zero' });
  if (row.rule === 'topic-name' && !isTopicName(value as string)) {
    return protocolError(row.name, { reason: 'not a topic name' });
  }
  return undefined;
}

/** Decodes properties that were preceded by their length. */
export function decodeProperties(bytes: Uint8Array, place: PropertyPlace): MqttProperties {
  if (bytes.length === 0) return NO_PROPERTIES;
  const found: Partial<Record<keyof MqttProperties, PropertyValue | PropertyValue[]>> = {};
  walkProperties(bytes, place, (row, value) => {
    if (row.repeats === undefined) {
      found[row.name] = value;
      return;
    }
    const list = (found[row.name] ??= []) as PropertyValue[];
    list.push(value);
  });
  return found as MqttProperties;
}

/** Reads the property length and the properties. */
export function readProperties(reader: ByteReader, place: PropertyPlace): MqttProperties {
  return decodeProperties(reader.take(readVarint(reader, 'property length'), 'properties'), place);
}

function writeValue(writer: ByteWriter, row: PropertyRow, value: PropertyValue): void {
  writer.u8(row.id);
  switch (row.type) {
    case 'byte':
      writer.u8(value as number);
      return;
    case 'u16':
      writer.u16be(value as number);
      return;
    case 'u32':
      writer.u32be(value as number);
      return;
    case 'varint':
      writeVarint(writer, value as number, row.name);
      return;
    case 'text':
      writeText(writer, value as string, row.name);
      return;
    case 'binary':
      writeBinary(writer, value as Uint8Array, row.name);
      return;
    case 'pair':
      writeText(writer, (value as UserProperty)[0], row.name);
      writeText(writer, (value as UserProperty)[1], row.name);
  }
}

/** The properties in table order, without their length. */
export function encodeProperties(properties: MqttProperties): Uint8Array {
  const writer = new ByteWriter();
  for (const row of PROPERTY_ROWS) {
    const value = properties[row.name];
    if (value === undefined) continue;
    const values = row.repeats === undefined ? [value as PropertyValue] : (value as readonly PropertyValue[]);
    for (const each of values) writeValue(writer, row, each);
  }
  return writer.finish();
}

export function writeProperties(writer: ByteWriter, properties: MqttProperties = NO_PROPERTIES): void {
  const bytes = encodeProperties(properties);
  writeVarint(writer, bytes.length, 'property length');
  writer.bytes(bytes);
}
