// PUBACK, PUBREC, PUBREL, PUBCOMP: flags, lengths, identifiers, reasons.
import type { MqttVersion } from '@holdfast/wire/mqtt';
import type { Sequence } from '../testing/vectors.ts';
import { byte, ends, type Hex, lives, MALFORMED, packet, PROTOCOL_ERROR, VERSIONS } from './sequence.ts';

interface AckCase {
  readonly group: string;
  readonly first: number;
  /** What an unsolicited one is answered with. */
  readonly answers: readonly Hex[];
  /** Tables 3-4 to 3-7. */
  readonly reasons: readonly number[];
}

const OF_PUBLISH = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const OF_RELEASE = [0x00, 0x92];

const ACKS: readonly AckCase[] = [
  { group: 'PUBACK', first: 0x40, answers: [], reasons: OF_PUBLISH },
  { group: 'PUBREC', first: 0x50, answers: ['62020001'], reasons: OF_PUBLISH },
  { group: 'PUBREL', first: 0x62, answers: ['70020001'], reasons: OF_RELEASE },
  { group: 'PUBCOMP', first: 0x70, answers: [], reasons: OF_RELEASE },
];

function ofBothVersions({ group, first, answers }: AckCase, version: MqttVersion): Sequence[] {
  const type = first & 0xf0;
  const asked = (name: string, sent: Hex) => ({ group, name, version, sent });
  const rows: Sequence[] = [];
  for (let flags = 0; flags < 16; flags++) {
    const given = asked(`${byte(type | flags)} unsolicited`, packet(type | flags, '0001'));
    rows.push((type | flags) === first ? lives(given, ...answers) : ends(given, MALFORMED));
  }
  rows.push(ends(asked('unsolicited mid 0', packet(first, '0000')), PROTOCOL_ERROR));
  rows.push(ends(asked('unsolicited short 0', packet(first, '')), MALFORMED));
  rows.push(ends(asked('unsolicited short 1', packet(first, '01')), MALFORMED));
  return rows;
}

function ofVersion5({ group, first, answers, reasons }: AckCase): Sequence[] {
  const asked = (name: string, body: Hex) => ({ group, name, version: 5, sent: packet(first, body) }) as const;
  const rows: Sequence[] = [];
  for (let code = 0; code < 256; code++) {
    // A PUBREC that refuses ends the exchange: no PUBREL (4.3.3).
    const expected = group === 'PUBREC' && code >= 0x80 ? [] : answers;
    for (const [form, tail] of [['rc', ''] as const, ['rc,properties', '00'] as const]) {
      const given = asked(`unsolicited ${form} ${byte(code)}`, `0001${byte(code)}${tail}`);
      rows.push(reasons.includes(code) ? lives(given, ...expected) : ends(given, PROTOCOL_ERROR));
    }
  }
  rows.push(ends(asked('unsolicited long', '0001000000'), MALFORMED));
  rows.push(ends(asked('unsolicited len=4 short', '00010001'), MALFORMED));
  rows.push(ends(asked('property length of five bytes', '0001008080808001'), MALFORMED));
  rows.push(ends(asked('property length not minimal', '0001008000'), MALFORMED));
  return rows;
}

export function ackSequences(): Sequence[] {
  return ACKS.flatMap((row) => [
    ...VERSIONS.flatMap((version) => ofBothVersions(row, version)),
    ends({ group: row.group, name: 'unsolicited long', version: 4, sent: packet(row.first, '000100') }, undefined),
    ...ofVersion5(row),
  ]);
}
