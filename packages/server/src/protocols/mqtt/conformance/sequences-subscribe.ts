// SUBSCRIBE and UNSUBSCRIBE: flags, lengths, identifiers, options, filters.
import type { MqttVersion } from '@holdfast/wire/mqtt';
import type { Sequence } from '../testing/vectors.ts';
import { BROKEN_TEXTS, FINE_TEXTS, UNFIT_NAMES } from './property-table.ts';
import { byte, ends, field, type Hex, lives, MALFORMED, packet, PROTOCOL_ERROR, VERSIONS } from './sequence.ts';

type Packet = 'SUBSCRIBE' | 'UNSUBSCRIBE';

const FIRST: Readonly<Record<Packet, number>> = { SUBSCRIBE: 0x82, UNSUBSCRIBE: 0xa2 };
const PACKETS: readonly Packet[] = ['SUBSCRIBE', 'UNSUBSCRIBE'];

const ascii = (text: string): Hex => Buffer.from(text).toString('hex');
const shown = (text: string): string => (text === '' ? 'nothing' : text);

/** Identifier, properties, entries. */
function body(version: MqttVersion, entries: Hex, mid: Hex = '1234'): Hex {
  return `${mid}${version === 5 ? '00' : ''}${entries}`;
}

function entry(group: Packet, filter: Hex, options: Hex = '00'): Hex {
  return field(filter) + (group === 'SUBSCRIBE' ? options : '');
}

function answer(group: Packet, version: MqttVersion, granted: Hex = '00'): Hex {
  if (group === 'SUBSCRIBE') return version === 5 ? packet(0x90, `123400${granted}`) : packet(0x90, `1234${granted}`);
  return version === 5 ? packet(0xb0, '12340011') : packet(0xb0, '1234');
}

function forms(group: Packet, version: MqttVersion): Sequence[] {
  const first = FIRST[group];
  const asked = (name: string, sent: Hex) => ({ group, name, version, sent });
  const whole = body(version, entry(group, '70'));
  const rows: Sequence[] = [];
  for (let flags = 0; flags < 16; flags++) {
    const given = asked(`${byte((first & 0xf0) | flags)} flags`, packet((first & 0xf0) | flags, whole));
    rows.push(flags === 2 ? lives(given, answer(group, version)) : ends(given, MALFORMED));
  }
  for (let length = 0; length < whole.length; length += 2) {
    rows.push(ends(asked(`short ${length / 2}`, packet(first, whole.slice(0, length))), MALFORMED));
  }
  rows.push(ends(asked('long', packet(first, `${whole}00`)), MALFORMED));
  rows.push(ends(asked('mid 0', packet(first, body(version, entry(group, '70'), '0000'))), MALFORMED));
  const other = entry(group, '71');
  const empty = entry(group, '');
  for (const [name, entries] of [
    ['multiple topic 1 len 0', empty + other],
    ['multiple topic 2 len 0', other + empty],
    ['multiple topic 1,2 len 0', empty + empty],
  ] as const) {
    rows.push(ends(asked(name, packet(first, body(version, entries))), MALFORMED));
  }
  return rows;
}

const GOOD_FILTERS = [
  'a',
  '/',
  '//',
  'a/',
  '/a',
  '+',
  '#',
  '+/+',
  '/+',
  '+/',
  'a/#',
  'a/+/#',
  'a/+/b',
  '+/a/#',
  '$SYS/#',
  ' ',
];
const BAD_FILTERS = [
  'a#',
  '#a',
  '#/',
  '#/a',
  'a/#/b',
  'a+',
  '+a',
  'a/+b',
  'a/b+/c',
  '++',
  '##',
  '+#',
  'sport/#/x',
  '/#/',
];
const GOOD_SHARES = ['$share/g/a', '$share/g/#', '$share/g/+/a', '$share/g//', '$share/a b/$SYS/#'];
const BAD_SHARES = [
  '$share',
  '$share/',
  '$share//',
  '$share//a',
  '$share/g',
  '$share/g/',
  '$share/+/a',
  '$share/#',
  '$share/+',
];
/** Wrong as filters already. */
const BAD_SHARED_FILTERS = ['$share/g/a#', '$share/g/#/a', '$share/g/a+', '$share/#/a', '$share/a+/b', '$share/a#/b'];

function filters(group: Packet, version: MqttVersion): Sequence[] {
  const first = FIRST[group];
  const asked = (name: string, filter: Hex) => ({
    group,
    name: `topic ${name}`,
    version,
    sent: packet(first, body(version, entry(group, filter))),
  });
  const fine = (name: string, hex: Hex) => lives(asked(name, hex), answer(group, version));
  return [
    ...[...GOOD_FILTERS, ...GOOD_SHARES].map((text) => fine(text, ascii(text))),
    ...FINE_TEXTS.map(([name, hex]) => fine(`with ${name}`, hex)),
    ...[...BAD_FILTERS, ...BAD_SHARED_FILTERS, ''].map((text) => ends(asked(shown(text), ascii(text)), MALFORMED)),
    ...BAD_SHARES.map((text) => ends(asked(text, ascii(text)), PROTOCOL_ERROR)),
    ...[...BROKEN_TEXTS, ...UNFIT_NAMES].map(([name, hex]) => ends(asked(`with ${name}`, hex), MALFORMED)),
  ];
}

/** The options byte: 3.1.1 knows two bits of it, 5 six. */
function options(version: MqttVersion): Sequence[] {
  const group = 'SUBSCRIBE';
  const rows: Sequence[] = [];
  for (let value = 0; value < 256; value++) {
    const qos = value & 3;
    const known = version === 5 ? value < 0x40 && value >> 4 !== 3 : value < 4;
    const sent = packet(0x82, body(version, entry(group, '70', byte(value))));
    const asked = { group, name: `options ${byte(value)}`, version, sent };
    rows.push(known && qos !== 3 ? lives(asked, answer(group, version, byte(qos))) : ends(asked, MALFORMED));
    if (version === 4) continue;
    const shared = packet(0x82, body(5, entry(group, ascii('$share/g/a'), byte(value))));
    const given = { ...asked, name: `shared, options ${byte(value)}`, sent: shared };
    if (!known || qos === 3) rows.push(ends(given, MALFORMED));
    else rows.push((value & 4) === 0 ? lives(given, answer(group, 5, byte(qos))) : ends(given, PROTOCOL_ERROR));
  }
  return rows;
}

function several(version: MqttVersion): Sequence[] {
  const entries = ['00', '01', '02'].map((qos, index) => entry('SUBSCRIBE', byte(0x70 + index), qos)).join('');
  const granted = answer('SUBSCRIBE', version, '000102');
  const un = ['70', '71', '72'].map((name) => entry('UNSUBSCRIBE', name)).join('');
  const unsubscribed = version === 5 ? packet(0xb0, '123400111111') : packet(0xb0, '1234');
  return [
    lives({ group: 'SUBSCRIBE', name: 'multiple ok', version, sent: packet(0x82, body(version, entries)) }, granted),
    lives({ group: 'UNSUBSCRIBE', name: 'multiple ok', version, sent: packet(0xa2, body(version, un)) }, unsubscribed),
  ];
}

export function subscribeSequences(): Sequence[] {
  return VERSIONS.flatMap((version) => [
    ...PACKETS.flatMap((group) => [...forms(group, version), ...filters(group, version)]),
    ...options(version),
    ...several(version),
  ]);
}
