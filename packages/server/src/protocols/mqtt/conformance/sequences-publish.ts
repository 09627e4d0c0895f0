// PUBLISH: QoS, DUP, identifiers, topics, aliases, lengths.
import type { MqttVersion } from '@holdfast/wire/mqtt';
import type { Sequence } from '../testing/vectors.ts';
import { BROKEN_TEXTS, FINE_TEXTS, UNFIT_NAMES } from './property-table.ts';
import {
  byte,
  ends,
  field,
  flow,
  type Hex,
  lives,
  MALFORMED,
  packet,
  properties,
  PROTOCOL_ERROR,
  VERSIONS,
} from './sequence.ts';

const group = 'PUBLISH';
const TOPIC = field('746f706963');
const PAYLOAD = '7061796c6f6164';
const ALIAS_INVALID = 0x94;

const props = (version: MqttVersion, hex: Hex = ''): Hex => (version === 5 ? properties(hex) : '');
const ascii = (text: string): Hex => Buffer.from(text).toString('hex');

/** All sixteen flag nibbles, with and without an identifier. */
function flags(version: MqttVersion): Sequence[] {
  const rows: Sequence[] = [];
  for (let nibble = 0; nibble < 16; nibble++) {
    const qos = (nibble >> 1) & 3;
    const dup = (nibble & 8) !== 0;
    const mid = qos === 0 ? '' : '1234';
    const sent = packet(0x30 | nibble, TOPIC + mid + props(version) + PAYLOAD);
    const asked = { group, name: `${byte(0x30 | nibble)} QoS ${qos} dup ${Number(dup)}`, version, sent };
    if (qos === 3 || (dup && qos === 0)) rows.push(ends(asked, MALFORMED));
    else if (qos === 0) rows.push(lives(asked));
    else if (qos === 1) rows.push(lives(asked, version === 5 ? '4003123410' : '40021234'));
    else rows.push(lives(asked, '50021234'));
    if (qos === 1 || qos === 2) {
      const zero = packet(0x30 | nibble, `${TOPIC}0000${props(version)}${PAYLOAD}`);
      rows.push(ends({ ...asked, name: `${asked.name} mid 0`, sent: zero }, PROTOCOL_ERROR));
    }
  }
  const noMid = packet(0x36, TOPIC + props(version) + PAYLOAD);
  rows.push(ends({ group, name: '36 QoS 3 (no mid)', version, sent: noMid }, MALFORMED));
  return rows;
}

/** Cut off inside the variable header; a payload may have any length. */
function lengths(version: MqttVersion): Sequence[] {
  const head = `${TOPIC}1234${props(version)}`;
  const rows: Sequence[] = [];
  for (let length = 0; length < head.length; length += 2) {
    const sent = packet(0x32, head.slice(0, length));
    rows.push(ends({ group, name: `32 short ${length / 2}`, version, sent }, MALFORMED));
  }
  rows.push(lives({ group, name: 'zero length payload', version, sent: packet(0x30, TOPIC + props(version)) }));
  rows.push(ends({ group, name: 'topic longer than the packet', version, sent: packet(0x30, 'ffff70') }, MALFORMED));
  return rows;
}

const GOOD_TOPICS = ['a', '/', '//', 'a/b', ' ', 'a b', '$other', '$SYSTEM/a', 'a/$SYS', 'A$'];
const BAD_TOPICS = ['+', '#', 'a/+', 'a/#', '+/a', 'a+', 'a#b', '/#', '/+'];

function topics(version: MqttVersion): Sequence[] {
  const asked = (name: string, topic: Hex) => ({
    group,
    name: `topic ${name}`,
    version,
    sent: packet(0x30, field(topic) + props(version) + PAYLOAD),
  });
  return [
    ...GOOD_TOPICS.map((text) => lives(asked(text, ascii(text)))),
    ...FINE_TEXTS.map(([name, hex]) => lives(asked(`with ${name}`, hex))),
    ...BAD_TOPICS.map((text) => ends(asked(text, ascii(text)), MALFORMED)),
    ...[...BROKEN_TEXTS, ...UNFIT_NAMES].map(([name, hex]) => ends(asked(`with ${name}`, hex), MALFORMED)),
    // MQTT 5 knows the empty topic: an alias must then stand for it [MQTT-3.3.2-8].
    ends(asked('of no bytes', ''), PROTOCOL_ERROR),
  ];
}

function aliases(): Sequence[] {
  const publish = (topic: Hex, alias: Hex) => packet(0x30, field(topic) + properties(`23${alias}`) + PAYLOAD);
  const asked = (name: string, sent: Hex) => ({ group, name: `topic-alias ${name}`, version: 5, sent }) as const;
  const over = ['000b', '0100', 'ffff'];
  return [
    lives(asked('1', publish('61', '0001'))),
    lives(asked('at the maximum', publish('61', '000a'))),
    ends(asked('0', publish('61', '0000')), PROTOCOL_ERROR),
    ends(asked('0 without topic', publish('', '0000')), PROTOCOL_ERROR),
    ...over.map((alias) => ends(asked(`over the maximum ${alias}`, publish('61', alias)), ALIAS_INVALID)),
    ends(asked('unknown', publish('', '0001')), PROTOCOL_ERROR),
    ends(asked('of another topic unknown', publish('61', '0001') + publish('', '0002')), PROTOCOL_ERROR),
    lives(asked('used', publish('61', '0001') + publish('', '0001'))),
    lives(asked('given anew', publish('61', '0001') + publish('62', '0001') + publish('', '0001'))),
    ends(asked('on a broken topic', publish('61', '0001') + publish('2b', '0001')), MALFORMED),
  ];
}

/** What the client hears of its own message: properties unaltered and in order, alias and topic resolved. */
function forwarded(): Sequence[] {
  const values: readonly (readonly [string, Hex])[] = [
    ['payload-format-indicator=0', '0100'],
    ['payload-format-indicator=1', '0101'],
    ['message-expiry-interval', '0200000e10'],
    ['content-type', '03000170'],
    ['response-topic', '08000170'],
    ['correlation-data', '0900020001'],
    ['correlation-data of no bytes', '090000'],
    ['user-property', '26000170000171'],
    ['3*user-property', '26000162000131260001610001322600016200013'.concat('1')],
  ];
  return values.flatMap(([name, hex]) =>
    [0, 1, 2].map((qos) => {
      const topic = field('746f706963');
      const subscribe = packet(0x82, `123400${topic}${byte(qos)}`);
      const suback = packet(0x90, `123400${byte(qos)}`);
      const sent = packet(0x30, topic + properties(hex) + PAYLOAD);
      return flow('FLOW WITH PROPERTIES', `${name}, subscribed at ${qos}`, 5, [
        { type: 'send', payload: subscribe },
        { type: 'recv', payload: suback },
        { type: 'send', payload: sent },
        { type: 'recv', payload: sent },
      ]);
    }),
  );
}

export function publishSequences(): Sequence[] {
  return [
    ...forwarded(),
    ...aliases(),
    ...VERSIONS.flatMap((version) => [...flags(version), ...lengths(version), ...topics(version)]),
  ];
}
