import { type AckName, type AckPacket, decodeAck } from './acknowledgement.ts';
import { type ConnackPacket, decodeConnack } from './connack.ts';
import { type ConnectPacket, decodeConnect, type UnsupportedProtocol } from './connect.ts';
import { decodeReasonPacket, type ReasonPacket } from './farewell.ts';
import { framingLost, malformed } from './faults.ts';
import { type MqttVersion, PACKET_TYPE, type PacketName, requiredFlags } from './packet-types.ts';
import { decodePublish, type PublishPacket } from './publish.ts';
import {
  decodeSuback,
  decodeSubscribe,
  decodeUnsubscribe,
  type SubackPacket,
  type SubscribePacket,
  type UnsubscribePacket,
} from './subscribe.ts';

export type MqttPacket =
  | ConnectPacket
  | UnsupportedProtocol
  | ConnackPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | ReasonPacket
  | { readonly kind: 'pingreq' | 'pingresp' };

type Decoder = (first: number, body: Uint8Array, version: MqttVersion) => MqttPacket;

const ack =
  (kind: AckName): Decoder =>
  (_first, body, version) =>
    decodeAck(kind, body, version);

const ping =
  (kind: 'pingreq' | 'pingresp'): Decoder =>
  (_first, body) => {
    if (body.length > 0) throw framingLost(kind, { length: body.length });
    return { kind };
  };

const DECODERS: Readonly<Record<PacketName, Decoder>> = {
  connect: (_first, body) => decodeConnect(body),
  connack: (_first, body, version) => decodeConnack(body, version),
  publish: decodePublish,
  puback: ack('puback'),
  pubrec: ack('pubrec'),
  pubrel: ack('pubrel'),
  pubcomp: ack('pubcomp'),
  subscribe: (_first, body, version) => decodeSubscribe(body, version),
  suback: (_first, body, version) => decodeSuback('suback', body, version),
  unsubscribe: (_first, body, version) => decodeUnsubscribe(body, version),
  unsuback: (_first, body, version) => decodeSuback('unsuback', body, version),
  pingreq: ping('pingreq'),
  pingresp: ping('pingresp'),
  disconnect: (_first, body, version) => decodeReasonPacket('disconnect', body, version),
  auth: (_first, body, version) => decodeReasonPacket('auth', body, version),
};

const BY_TYPE: readonly (Decoder | undefined)[] = decodersByType();

function decodersByType(): (Decoder | undefined)[] {
  const decoders: (Decoder | undefined)[] = [];
  for (const [name, type] of Object.entries(PACKET_TYPE)) decoders[type] = DECODERS[name as PacketName];
  return decoders;
}

/**
 * Decodes any packet of either direction.
 *
 * @param first - the first byte. @param body - what follows the fixed header.
 * @throws `communication.mqtt_malformed`, `communication.mqtt_protocol_error`, `communication.mqtt_framing`,
 * `wire.truncated`, `wire.trailing_bytes`
 */
export function decodePacket(first: number, body: Uint8Array, version: MqttVersion): MqttPacket {
  const type = first >> 4;
  const decoder = BY_TYPE[type];
  if (decoder === undefined || (type === PACKET_TYPE.auth && version === 4)) throw malformed('packet type', { type });
  if (type !== PACKET_TYPE.publish && (first & 0x0f) !== requiredFlags(type)) {
    throw malformed('flags', { type }); // [MQTT-2.1.3-1]
  }
  return decoder(first, body, version);
}
