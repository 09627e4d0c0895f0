// CONNECT: names, levels, flags, lengths, fields, properties of the connection and of the will.
import type { MqttVersion } from '@holdfast/wire/mqtt';
import type { Sequence } from '../testing/vectors.ts';
import {
  BROKEN_IDENTIFIERS,
  BROKEN_TEXTS,
  encoded,
  FINE_TEXTS,
  type Place,
  PROPERTY_CASES,
  type PropertyCase,
  UNFIT_NAMES,
  UNKNOWN_IDENTIFIERS,
} from './property-table.ts';
import {
  byte,
  ends,
  field,
  type Hex,
  packet,
  properties,
  PROTOCOL_ERROR,
  refused,
  strange,
  VERSIONS,
  welcomed,
} from './sequence.ts';

const group = 'CONNECT';
const NAME = field('4d515454');
const KEEP_ALIVE = '000a';
const UNSPOKEN = '20020001';

const FLAG = { clean: 0x02, will: 0x04, willQos: 0x18, willRetain: 0x20, password: 0x40, userName: 0x80 } as const;

interface Parts {
  readonly version: MqttVersion;
  readonly flags?: number;
  readonly props?: Hex;
  readonly clientId?: Hex;
  readonly willProps?: Hex;
  readonly willTopic?: Hex;
  readonly userName?: Hex;
}

/** A CONNECT body with the fields that its flags announce. */
function body(parts: Parts): Hex {
  const { version, flags = FLAG.clean, props = '', clientId = '73657175656e6365', willProps = '' } = parts;
  const { willTopic = '77696c6c', userName = '75736572' } = parts;
  const five = version === 5;
  const will = (flags & FLAG.will) === 0 ? '' : (five ? properties(willProps) : '') + field(willTopic) + field('78');
  return [
    NAME,
    byte(version),
    byte(flags),
    KEEP_ALIVE,
    five ? properties(props) : '',
    field(clientId),
    will,
    (flags & FLAG.userName) === 0 ? '' : field(userName),
    (flags & FLAG.password) === 0 ? '' : field('00ff'),
  ].join('');
}

const asked = (name: string, version: MqttVersion, sent: Hex) => ({ group, name, version, sent });

function forms(version: MqttVersion): Sequence[] {
  const whole = body({ version, flags: 0xc6 });
  const rows: Sequence[] = [];
  for (let flags = 1; flags < 16; flags++) {
    rows.push(strange(asked(byte(0x10 | flags), version, packet(0x10 | flags, whole))));
  }
  for (let length = 0; length < whole.length; length += 2) {
    rows.push(strange(asked(`short ${length / 2}`, version, packet(0x10, whole.slice(0, length)))));
  }
  rows.push(strange(asked('long', version, packet(0x10, `${whole}00`))));
  rows.push(strange(asked('remaining length 5 bytes', version, `10ffffffff7f${whole}`)));
  rows.push(strange(asked('remaining length not minimal', version, `10${byte(0x80 | (whole.length / 2))}00${whole}`)));
  rows.push(ends(asked('twice [MQTT-3.1.0-2]', version, packet(0x10, body({ version }))), PROTOCOL_ERROR));
  return rows;
}

/** [MQTT-3.1.2-1], [MQTT-3.1.2-2]. */
function names(): Sequence[] {
  const rest = (level: number) => `${byte(level)}02${KEEP_ALIVE}000170`;
  const wrong = ['', '4d5154', '4d51545454', '6d717474', '4d517474', '4d515455', '4d5149736470 70', '004d515454'];
  const rows: Sequence[] = [];
  for (const version of VERSIONS) {
    for (const name of wrong) {
      const sent = packet(0x10, field(name.replaceAll(' ', '')) + rest(version));
      rows.push(strange(asked(`protocol name ${name}`, version, sent)));
    }
  }
  for (let level = 0; level < 256; level++) {
    if (level === 4 || level === 5) continue;
    rows.push(refused(asked(`protocol level ${level}`, 4, packet(0x10, NAME + rest(level))), UNSPOKEN));
  }
  const old = field('4d5149736470');
  rows.push(refused(asked('MQTT 3.1', 4, packet(0x10, old + rest(3))), UNSPOKEN));
  rows.push(strange(asked('MQTT 3.1 cut off', 4, packet(0x10, `${old}0302`))));
  return rows;
}

/** Every value of the flags byte, with the fields it announces [MQTT-3.1.2-3, 11, 12, 13], 3.1.1 [MQTT-3.1.2-22]. */
function flags(version: MqttVersion): Sequence[] {
  const rows: Sequence[] = [];
  for (let value = 0; value < 256; value++) {
    const willQos = (value & FLAG.willQos) >> 3;
    const loose = (value & FLAG.will) === 0 && (willQos !== 0 || (value & FLAG.willRetain) !== 0);
    const alone = version === 4 && (value & FLAG.password) !== 0 && (value & FLAG.userName) === 0;
    const wrong = (value & 1) !== 0 || willQos === 3 || loose || alone;
    const given = asked(`flags ${byte(value)}`, version, packet(0x10, body({ version, flags: value })));
    // A session that lasts would be present the next time.
    const clean = (value & FLAG.clean) !== 0 || version === 5;
    if (wrong) rows.push(strange(given));
    else if (clean) rows.push(welcomed(given));
  }
  return rows;
}

function texts(version: MqttVersion): Sequence[] {
  const places = [
    ['client ID', (hex: Hex) => body({ version, clientId: hex })],
    ['will topic', (hex: Hex) => body({ version, flags: FLAG.clean | FLAG.will, willTopic: hex })],
    ['user name', (hex: Hex) => body({ version, flags: FLAG.clean | FLAG.userName, userName: hex })],
  ] as const;
  const rows = places.flatMap(([name, build]) => [
    ...[...BROKEN_TEXTS, ...UNFIT_NAMES].map(([what, hex]) =>
      strange(asked(`${name} with ${what}`, version, packet(0x10, build(hex)))),
    ),
    ...FINE_TEXTS.map(([what, hex]) => welcomed(asked(`${name} with ${what}`, version, packet(0x10, build(hex))))),
  ]);
  const willing = FLAG.clean | FLAG.will;
  for (const willTopic of ['', '2b', '23', '612f2b', '612f23']) {
    const sent = packet(0x10, body({ version, flags: willing, willTopic }));
    rows.push(strange(asked(`will topic ${willTopic}`, version, sent)));
  }
  const nameless = packet(0x10, body({ version, flags: FLAG.clean | FLAG.userName, userName: '' }));
  rows.push(welcomed(asked('user name of no bytes', version, nameless)));
  rows.push(welcomed(asked('client ID of no bytes', version, packet(0x10, body({ version, clientId: '' })))));
  const lasting = packet(0x10, body({ version, clientId: '', flags: 0 }));
  const given = asked('client ID of no bytes, not clean', version, lasting);
  rows.push(version === 4 ? refused(given, '20020002') : welcomed(given));
  return rows;
}

function ofPlace(place: Place, build: (props: Hex) => Hex): Sequence[] {
  const given = (name: string, props: Hex) => asked(`${place} with ${name}`, 5, packet(0x10, build(props)));
  return [
    ...PROPERTY_CASES.flatMap((row) => ofRow(row, place, given)),
    ...UNKNOWN_IDENTIFIERS.map((id) => strange(given(`unknown-property ${id}`, `${id}01`))),
    ...BROKEN_IDENTIFIERS.map((id) => strange(given(`invalid-property ${id}`, `${id}01`))),
  ];
}

function ofRow(
  row: PropertyCase,
  place: Place,
  given: (name: string, props: Hex) => ReturnType<typeof asked>,
): Sequence[] {
  const name = `${row.name} (${row.type})`;
  const rows = [strange(given(`${name} missing`, byte(row.id)))];
  for (let length = 2; length < row.value.length; length += 2) {
    rows.push(strange(given(`${name} cut after ${length / 2}`, encoded(row, row.value.slice(0, length)))));
  }
  if (!row.places.includes(place)) return [...rows, strange(given(name, encoded(row)))];
  const twice = given(`2*${name}`, encoded(row) + encoded(row));
  rows.push(row.repeats === true ? welcomed(twice) : strange(twice));
  for (const value of row.wrong ?? []) rows.push(strange(given(`${name}=${value}`, encoded(row, value))));
  if (row.type === 'UTF-8 string') {
    rows.push(
      ...BROKEN_TEXTS.map(([what, hex]) => strange(given(`${name} holding ${what}`, encoded(row, field(hex))))),
    );
  }
  // A method is refused with 0x8C [MQTT-4.12.0-1]; data without a method is a protocol error (3.1.2.11.10).
  if (row.name === 'authentication-method') return [...rows, refused(given(name, encoded(row)), '2003008c00')];
  if (row.name === 'authentication-data') return [...rows, strange(given(`${name} alone`, encoded(row)))];
  return [...rows, welcomed(given(name, encoded(row)))];
}

export function connectSequences(): Sequence[] {
  return [
    ...VERSIONS.flatMap((version) => [...forms(version), ...flags(version), ...texts(version)]),
    ...names(),
    ...ofPlace('connect', (props) => body({ version: 5, props })),
    ...ofPlace('will', (willProps) => body({ version: 5, flags: FLAG.clean | FLAG.will, willProps })),
  ];
}
