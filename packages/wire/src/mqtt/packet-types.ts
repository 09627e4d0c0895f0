/** Control packet types: the upper four bits of the first byte (MQTT 5 table 2-1). */
export const PACKET_TYPE = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

export type PacketName = keyof typeof PACKET_TYPE;

/** MQTT 3.1.1 is protocol level 4, MQTT 5 is 5. */
export type MqttVersion = 4 | 5;

export type Qos = 0 | 1 | 2;

/** The lower four bits that each packet other than PUBLISH must carry (MQTT 5 table 2-2). */
export function requiredFlags(type: number): number {
  return type === PACKET_TYPE.pubrel || type === PACKET_TYPE.subscribe || type === PACKET_TYPE.unsubscribe ? 2 : 0;
}

/** The largest value of a Variable Byte Integer (MQTT 5, 1.5.5). */
export const MAX_VARINT = 268_435_455;

/** Longest UTF-8 string or binary field: the length prefix has two bytes. */
export const MAX_FIELD_BYTES = 65_535;
