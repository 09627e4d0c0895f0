import { ByteReader, ByteWriter, equalBytes, encodeUtf8 } from '@holdfast/kernel';
import { malformed, protocolError } from './faults.ts';
import { encodeFrame } from './frame-writer.ts';
import type { MqttVersion, Qos } from './packet-types.ts';
import { type MqttProperties, NO_PROPERTIES, readProperties, writeProperties } from './properties.ts';
import { isTopicName } from './topics.ts';
import { readBinary, readName, writeBinary, writeText } from './text.ts';

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: MqttProperties;
}

export interface ConnectPacket {
  readonly kind: 'connect';
  readonly version: MqttVersion;
  /** Clean Session in MQTT 3.1.1, Clean Start in MQTT 5. */
  readonly clean: boolean;
  /** Seconds; 0 is none. */
  readonly keepAlive: number;
  readonly clientId: string;
  readonly will: Will | undefined;
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly properties: MqttProperties;
}

/** A CONNECT in a version of the protocol that is not spoken here (MQTT 3.1, or one to come). */
export interface UnsupportedProtocol {
  readonly kind: 'unsupported-protocol';
  readonly name: 'MQTT' | 'MQIsdp';
  readonly level: number;
}

const NAME = encodeUtf8('MQTT');
const NAME_OF_3_1 = encodeUtf8('MQIsdp');

const FLAG = { reserved: 0x01, clean: 0x02, will: 0x04, willRetain: 0x20, password: 0x40, userName: 0x80 } as const;

/**
 * Decodes CONNECT.
 *
 * @param body - what follows the fixed header.
 * @throws `communication.mqtt_malformed`, `communication.mqtt_protocol_error`, `wire.truncated`, `wire.trailing_bytes`
 * @see MQTT 5 and MQTT 3.1.1, 3.1
 */
export function decodeConnect(body: Uint8Array): ConnectPacket | UnsupportedProtocol {
  const reader = new ByteReader(body);
  const name = readBinary(reader, 'protocol name');
  const level = reader.u8('protocol level');
  if (equalBytes(name, NAME_OF_3_1)) {
    if (level === 3) readConnect(reader, 4); // Laid out as 3.1.1: what is broken gets no answer.
    return { kind: 'unsupported-protocol', name: 'MQIsdp', level };
  }
  if (!equalBytes(name, NAME)) throw malformed('protocol name'); // [MQTT-3.1.2-1]
  if (level !== 4 && level !== 5) return { kind: 'unsupported-protocol', name: 'MQTT', level };
  return readConnect(reader, level);
}

/** From the connect flags on. */
function readConnect(reader: ByteReader, level: MqttVersion): ConnectPacket {
  const flags = reader.u8('connect flags');
  checkFlags(flags, level);
  const keepAlive = reader.u16be('keep alive');
  const properties = level === 5 ? readProperties(reader, 'connect') : NO_PROPERTIES;
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw protocolError('authentication data', { reason: 'no method' }); // MQTT 5, 3.1.2.11.10
  }
  const clientId = readName(reader, 'client identifier');
  const will = (flags & FLAG.will) === 0 ? undefined : readWill(reader, flags, level);
  const userName = (flags & FLAG.userName) === 0 ? undefined : readName(reader, 'user name');
  const password = (flags & FLAG.password) === 0 ? undefined : readBinary(reader, 'password');
  reader.end('connect');
  const clean = (flags & FLAG.clean) !== 0;
  return { kind: 'connect', version: level, clean, keepAlive, clientId, will, userName, password, properties };
}

function checkFlags(flags: number, level: MqttVersion): void {
  const willQos = (flags >> 3) & 3;
  if ((flags & FLAG.reserved) !== 0) throw malformed('connect flags', { reason: 'reserved' }); // [MQTT-3.1.2-3]
  if (willQos === 3) throw malformed('connect flags', { reason: 'will qos' }); // [MQTT-3.1.2-12]
  if ((flags & FLAG.will) === 0 && (willQos !== 0 || (flags & FLAG.willRetain) !== 0)) {
    throw malformed('connect flags', { reason: 'no will' }); // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
  }
  if (level === 4 && (flags & (FLAG.userName | FLAG.password)) === FLAG.password) {
    throw malformed('connect flags', { reason: 'password without user name' }); // MQTT 3.1.1 [MQTT-3.1.2-22]
  }
}

function readWill(reader: ByteReader, flags: number, level: MqttVersion): Will {
  const properties = level === 5 ? readProperties(reader, 'will') : NO_PROPERTIES;
  const topic = readName(reader, 'will topic');
  if (!isTopicName(topic)) throw malformed('will topic');
  const payload = readBinary(reader, 'will payload');
  return { topic, payload, qos: ((flags >> 3) & 3) as Qos, retain: (flags & FLAG.willRetain) !== 0, properties };
}

/** Encodes CONNECT. `kind` aside, the fields of the decoded packet. */
export function encodeConnect(packet: Omit<ConnectPacket, 'kind'>): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  const { version, will, userName, password } = packet;
  writeBinary(writer, NAME, 'protocol name');
  writer.u8(version);
  let flags = packet.clean ? FLAG.clean : 0;
  if (will !== undefined) flags |= FLAG.will | (will.qos << 3) | (will.retain ? FLAG.willRetain : 0);
  if (userName !== undefined) flags |= FLAG.userName;
  if (password !== undefined) flags |= FLAG.password;
  checkFlags(flags, version);
  writer.u8(flags).u16be(packet.keepAlive);
  if (version === 5) writeProperties(writer, packet.properties);
  writeText(writer, packet.clientId, 'client identifier');
  if (will !== undefined) {
    if (version === 5) writeProperties(writer, will.properties);
    writeText(writer, will.topic, 'will topic');
    writeBinary(writer, will.payload, 'will payload');
  }
  if (userName !== undefined) writeText(writer, userName, 'user name');
  if (password !== undefined) writeBinary(writer, password, 'password');
  return encodeFrame(0x10, writer.finish());
}
