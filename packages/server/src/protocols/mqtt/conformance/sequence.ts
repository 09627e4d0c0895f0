// How a wire sequence is written down: what a client sends, and what the standard says comes back.
import type { MqttVersion } from '@holdfast/wire/mqtt';
import type { Sequence } from '../testing/vectors.ts';

/** Hexadecimal; blanks count for nothing. */
export type Hex = string;

export const VERSIONS: readonly MqttVersion[] = [4, 5];

export const MALFORMED = 0x81;
export const PROTOCOL_ERROR = 0x82;

export function byte(value: number): Hex {
  return value.toString(16).padStart(2, '0');
}

function word(value: number): Hex {
  return value.toString(16).padStart(4, '0');
}

function bytesOf(hex: Hex): number {
  return hex.replaceAll(' ', '').length / 2;
}

/** A Variable Byte Integer in its shortest form. */
function varint(value: number): Hex {
  let text = '';
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) text += byte((rest % 128) | 0x80);
  return text + byte(rest);
}

/** A packet with the right remaining length. */
export function packet(first: number, body: Hex): Hex {
  return `${byte(first)}${varint(bytesOf(body))}${body}`;
}

/** Bytes with their two-byte length. */
export function field(hex: Hex): Hex {
  return `${word(bytesOf(hex))}${hex}`;
}

/** Properties with their length. */
export function properties(hex: Hex): Hex {
  return `${varint(bytesOf(hex))}${hex}`;
}

export interface Asked {
  readonly group: string;
  readonly name: string;
  readonly version: MqttVersion;
  readonly sent: Hex;
}

function sequence({ group, name, version, sent }: Asked, answers: readonly Hex[], rest: Partial<Sequence>): Sequence {
  const title = `v${version} ${group}: ${name}`;
  const replies = answers.map((payload) => ({ type: 'recv', payload }) as const);
  return { title, name, ver: version, msgs: [{ type: 'send', payload: sent }, ...replies], ...rest };
}

/** The connection goes on after the answers. */
export function lives(asked: Asked, ...answers: readonly Hex[]): Sequence {
  return sequence(asked, answers, { expect_disconnect: false });
}

/** The connection ends; MQTT 5 hears the reason before, MQTT 3.1.1 nothing. */
export function ends(asked: Asked, reason: number | undefined): Sequence {
  return sequence(asked, asked.version === 5 && reason !== undefined ? [`e001${byte(reason)}`] : [], {});
}

/** Sent before any CONNECT: the connection ends without a word. */
export function strange(asked: Asked): Sequence {
  return sequence(asked, [], { connect: false });
}

/** A CONNECT that is welcome. */
export function welcomed(asked: Asked): Sequence {
  return sequence(asked, [asked.version === 5 ? '2003000000' : '20020000'], {
    connect: false,
    expect_disconnect: false,
  });
}

/** A CONNECT that is refused with a CONNACK. */
export function refused(asked: Asked, connack: Hex): Sequence {
  return sequence(asked, [connack], { connect: false });
}

/** Steps of one client and of others, in order. */
export function flow(
  group: string,
  name: string,
  version: MqttVersion,
  msgs: Sequence['msgs'],
  expect_disconnect = false,
): Sequence {
  return { title: `v${version} ${group}: ${name}`, name, ver: version, msgs, expect_disconnect };
}
