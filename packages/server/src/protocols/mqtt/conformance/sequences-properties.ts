// Every property in every packet of a client: where it may stand, where not, twice, cut off, out of range.
import type { Sequence } from '../testing/vectors.ts';
import {
  BROKEN_IDENTIFIERS,
  BROKEN_TEXTS,
  encoded,
  FINE_TEXTS,
  type Place,
  PROPERTY_CASES,
  type PropertyCase,
  UNKNOWN_IDENTIFIERS,
} from './property-table.ts';
import { byte, ends, field, type Hex, lives, MALFORMED, packet, properties, PROTOCOL_ERROR } from './sequence.ts';

interface Carrier {
  readonly group: string;
  readonly place: Place;
  /** The packet around encoded properties. */
  readonly build: (props: Hex) => Hex;
  /** What a good one is answered with; undefined when it ends the connection. */
  readonly answers: readonly Hex[] | undefined;
  /** What brokers in the field say of a property that belongs elsewhere: 0x81 for subscriptions, else 0x82. */
  readonly misplaced: number;
}

const ack = (group: string, first: number, answers: readonly Hex[]): Carrier => ({
  group,
  place: 'ack',
  build: (props) => packet(first, `000100${properties(props)}`),
  answers,
  misplaced: PROTOCOL_ERROR,
});

const CARRIERS: readonly Carrier[] = [
  ack('PUBACK', 0x40, []),
  ack('PUBREC', 0x50, ['62020001']),
  ack('PUBREL', 0x62, ['70020001']),
  ack('PUBCOMP', 0x70, []),
  {
    group: 'PUBLISH',
    place: 'publish',
    build: (props) => packet(0x32, `${field('746f706963')}1234${properties(props)}7061796c6f6164`),
    answers: ['4003123410'],
    misplaced: PROTOCOL_ERROR,
  },
  {
    group: 'SUBSCRIBE',
    place: 'subscribe',
    build: (props) => packet(0x82, `0001${properties(props)}00017000`),
    answers: ['900400010000'],
    misplaced: MALFORMED,
  },
  {
    group: 'UNSUBSCRIBE',
    place: 'unsubscribe',
    build: (props) => packet(0xa2, `0001${properties(props)}000170`),
    answers: ['b00400010011'],
    misplaced: MALFORMED,
  },
  {
    group: 'DISCONNECT',
    place: 'disconnect',
    build: (props) => packet(0xe0, `00${properties(props)}`),
    answers: undefined,
    misplaced: PROTOCOL_ERROR,
  },
];

type Judge = (name: string, props: Hex) => Sequence;

function judges(carrier: Carrier): { readonly fine: Judge; readonly wrong: (reason: number) => Judge } {
  const { group, build, answers } = carrier;
  const asked = (name: string, props: Hex) =>
    ({ group, name: `with ${name}`, version: 5, sent: build(props) }) as const;
  return {
    fine: (name, props) =>
      answers === undefined ? ends(asked(name, props), undefined) : lives(asked(name, props), ...answers),
    wrong: (reason) => (name, props) => ends(asked(name, props), reason),
  };
}

function ofCarrier(carrier: Carrier): Sequence[] {
  const malformed = judges(carrier).wrong(MALFORMED);
  return [
    ...PROPERTY_CASES.flatMap((row) => ofRow(carrier, row)),
    ...UNKNOWN_IDENTIFIERS.map((id) => malformed(`unknown-property ${id}`, `${id}01`)),
    ...BROKEN_IDENTIFIERS.map((id) => malformed(`invalid-property ${id}`, `${id}01`)),
  ];
}

function ofRow(carrier: Carrier, row: PropertyCase): Sequence[] {
  const { fine, wrong } = judges(carrier);
  const name = `${row.name} (${row.type})`;
  const rows = [wrong(MALFORMED)(`${name} missing`, byte(row.id))];
  for (let length = 2; length < row.value.length; length += 2) {
    rows.push(wrong(MALFORMED)(`${name} cut after ${length / 2}`, encoded(row, row.value.slice(0, length))));
  }
  if (!row.places.includes(carrier.place)) return [...rows, notHere(carrier, row, name)];
  rows.push(fine(name, encoded(row)));
  const twice = encoded(row) + encoded(row);
  rows.push(row.repeats === true ? fine(`2*${name}`, twice) : wrong(PROTOCOL_ERROR)(`2*${name}`, twice));
  for (const value of row.wrong ?? []) rows.push(wrong(PROTOCOL_ERROR)(`${name}=${value}`, encoded(row, value)));
  return [...rows, ...texts(carrier, row, name)];
}

/** A client's PUBLISH has no subscription identifier [MQTT-3.3.4-6], though a server's has. */
function notHere(carrier: Carrier, row: PropertyCase, name: string): Sequence {
  return judges(carrier).wrong(carrier.misplaced)(name, encoded(row));
}

function texts(carrier: Carrier, row: PropertyCase, name: string): Sequence[] {
  const { fine, wrong } = judges(carrier);
  if (row.type !== 'UTF-8 string' && row.type !== 'pair') return [];
  const forms =
    row.type === 'pair' ? [(hex: Hex) => field(hex) + field('71'), (hex: Hex) => field('70') + field(hex)] : [field];
  return forms.flatMap((form, index) => [
    ...BROKEN_TEXTS.map(([what, hex]) => wrong(MALFORMED)(`${name} ${index} holding ${what}`, encoded(row, form(hex)))),
    ...FINE_TEXTS.map(([what, hex]) => fine(`${name} ${index} holding ${what}`, encoded(row, form(hex)))),
  ]);
}

/** The identifier of a subscription is 1 to 268,435,455 in its shortest form (3.8.2.1.2). */
function subscriptionIdentifiers(): Sequence[] {
  const carrier = CARRIERS.find(({ place }) => place === 'subscribe') as Carrier;
  const { fine, wrong } = judges(carrier);
  return [
    ...['01', '7f', '8001', 'ff7f', '808001', 'ffff7f', '80808001', 'ffffff7f'].map((value) =>
      fine(`subscription-identifier=${value}`, `0b${value}`),
    ),
    ...['00', '8000', '808000', '80808000', '8080808001', 'ffffffff7f'].map((value) =>
      wrong(MALFORMED)(`subscription-identifier=${value}`, `0b${value}`),
    ),
  ];
}

export function propertySequences(): Sequence[] {
  return [...CARRIERS.flatMap(ofCarrier), ...subscriptionIdentifiers()];
}
