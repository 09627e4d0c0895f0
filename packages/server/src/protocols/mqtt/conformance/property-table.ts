// MQTT 5 table 2-4, written again from the standard, so that the decoder's own table does not judge itself.
import { type Hex, byte } from './sequence.ts';

export type Place = 'connect' | 'will' | 'publish' | 'subscribe' | 'unsubscribe' | 'ack' | 'disconnect' | 'server';

export interface PropertyCase {
  readonly id: number;
  readonly name: string;
  /** A value of the right type, without the identifier. */
  readonly value: Hex;
  readonly type:
    | 'byte'
    | 'two byte integer'
    | 'four byte integer'
    | 'variable byte integer'
    | 'UTF-8 string'
    | 'binary'
    | 'pair';
  /** Where a client may send it. */
  readonly places: readonly Place[];
  /** Values of the right type that are a protocol error all the same. */
  readonly wrong?: readonly Hex[];
  readonly repeats?: boolean;
}

const MESSAGE: readonly Place[] = ['publish', 'will'];
const NOT_BOOLEAN: readonly Hex[] = ['02', 'ff'];

export const PROPERTY_CASES: readonly PropertyCase[] = [
  { id: 0x01, name: 'payload-format-indicator', type: 'byte', value: '01', places: MESSAGE, wrong: NOT_BOOLEAN },
  { id: 0x02, name: 'message-expiry-interval', type: 'four byte integer', value: '00000e10', places: MESSAGE },
  { id: 0x03, name: 'content-type', type: 'UTF-8 string', value: '000170', places: MESSAGE },
  {
    id: 0x08,
    name: 'response-topic',
    type: 'UTF-8 string',
    value: '000170',
    places: MESSAGE,
    wrong: ['00012b', '000123', '0003702f23', '0000'],
  },
  { id: 0x09, name: 'correlation-data', type: 'binary', value: '000170', places: MESSAGE },
  { id: 0x0b, name: 'subscription-identifier', type: 'variable byte integer', value: '01', places: ['subscribe'] },
  {
    id: 0x11,
    name: 'session-expiry-interval',
    type: 'four byte integer',
    value: '00000000',
    places: ['connect', 'disconnect'],
  },
  { id: 0x12, name: 'assigned-client-identifier', type: 'UTF-8 string', value: '000170', places: [] },
  { id: 0x13, name: 'server-keep-alive', type: 'two byte integer', value: '0101', places: [] },
  { id: 0x15, name: 'authentication-method', type: 'UTF-8 string', value: '000170', places: ['connect'] },
  { id: 0x16, name: 'authentication-data', type: 'binary', value: '000170', places: ['connect'] },
  {
    id: 0x17,
    name: 'request-problem-information',
    type: 'byte',
    value: '00',
    places: ['connect'],
    wrong: NOT_BOOLEAN,
  },
  { id: 0x18, name: 'will-delay-interval', type: 'four byte integer', value: '00000001', places: ['will'] },
  {
    id: 0x19,
    name: 'request-response-information',
    type: 'byte',
    value: '00',
    places: ['connect'],
    wrong: NOT_BOOLEAN,
  },
  { id: 0x1a, name: 'response-information', type: 'UTF-8 string', value: '000170', places: [] },
  // A server's word; a client has none in DISCONNECT either (table 2-4 allows it there for servers).
  { id: 0x1c, name: 'server-reference', type: 'UTF-8 string', value: '000170', places: ['disconnect'] },
  { id: 0x1f, name: 'reason-string', type: 'UTF-8 string', value: '000170', places: ['ack', 'disconnect'] },
  { id: 0x21, name: 'receive-maximum', type: 'two byte integer', value: '0101', places: ['connect'], wrong: ['0000'] },
  { id: 0x22, name: 'topic-alias-maximum', type: 'two byte integer', value: '0101', places: ['connect'] },
  { id: 0x23, name: 'topic-alias', type: 'two byte integer', value: '0001', places: ['publish'], wrong: ['0000'] },
  { id: 0x24, name: 'maximum-qos', type: 'byte', value: '00', places: [] },
  { id: 0x25, name: 'retain-available', type: 'byte', value: '00', places: [] },
  {
    id: 0x26,
    name: 'user-property',
    type: 'pair',
    value: '000170000171',
    places: ['connect', 'will', 'publish', 'subscribe', 'unsubscribe', 'ack', 'disconnect'],
    repeats: true,
  },
  {
    id: 0x27,
    name: 'maximum-packet-size',
    type: 'four byte integer',
    value: '00010000',
    places: ['connect'],
    wrong: ['00000000'],
  },
  { id: 0x28, name: 'wildcard-subscription-available', type: 'byte', value: '00', places: [] },
  { id: 0x29, name: 'subscription-identifier-available', type: 'byte', value: '00', places: [] },
  { id: 0x2a, name: 'shared-subscription-available', type: 'byte', value: '00', places: [] },
];

export function encoded(row: PropertyCase, value: Hex = row.value): Hex {
  return byte(row.id) + value;
}

const KNOWN = new Set(PROPERTY_CASES.map(({ id }) => id));

/** Identifiers that table 2-4 does not name, in one to four bytes. */
export const UNKNOWN_IDENTIFIERS: readonly Hex[] = [
  ...Array.from({ length: 0x80 }, (_, id) => id)
    .filter((id) => !KNOWN.has(id))
    .map(byte),
  '8001',
  'ff7f',
  '808001',
  'ffff7f',
  '80808001',
  'ffffff7f',
];

/** Identifiers that are no Variable Byte Integer, or not its shortest form (1.5.5). */
export const BROKEN_IDENTIFIERS: readonly Hex[] = ['8000', '808000', '80808000', '8080808001', 'ffffffff7f'];

/** What a UTF-8 Encoded String must not hold anywhere: [MQTT-1.5.4-1] and [MQTT-1.5.4-2]. */
export const BROKEN_TEXTS: readonly (readonly [name: string, hex: Hex])[] = [
  ['0x0000', '6100'],
  ['U+D800', 'eda080'],
  ['U+DBFF', 'edafbf'],
  ['U+DC00', 'edb080'],
  ['U+DFFF', 'edbfbf'],
  ['an encoded pair of surrogates', 'eda081edb080'],
  ['an overlong U+0000', 'c080'],
  ['an overlong /', 'e080af'],
  ['above U+10FFFF', 'f4908080'],
  ['a lone continuation byte', '8061'],
  ['0xFF', 'ff61'],
  ['a cut sequence', '61e282'],
];

/** What a receiver may refuse besides (1.5.4); refused here wherever the text is a name. */
export const UNFIT_NAMES: readonly (readonly [name: string, hex: Hex])[] = [
  ['U+0001', '01'],
  ['U+001F', '1f'],
  ['U+007F', '7f'],
  ['U+009F', 'c29f'],
  ['U+FFFE', 'efbfbe'],
  ['U+FFFF', 'efbfbf'],
  ['U+FDD0', 'efb790'],
  ['U+1FFFF', 'f09fbfbf'],
];

/** What must be taken as it is: [MQTT-1.5.4-3] and the example of 1.5.4. */
export const FINE_TEXTS: readonly (readonly [name: string, hex: Hex])[] = [
  ['U+FEFF', 'efbbbf70'],
  ['U+2A6D4', '41f0aa9b94'],
  ['U+00A0', 'c2a0'],
];
