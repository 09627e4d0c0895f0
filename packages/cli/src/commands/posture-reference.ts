import { readFileSync } from 'node:fs';
import { RecordTpmReference, type TpmReference } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts } from '../output/table.ts';
import { addVerb, bodyOf, printPage, wholeNumber } from './verb.ts';

const COLUMNS: readonly Column<TpmReference>[] = [
  { title: 'VERSION', value: (row) => row.version },
  { title: 'HARDWARE', value: (row) => row.hardwareRevision },
  { title: 'REGISTERS', value: (row) => Object.keys(row.registers).join(' ') },
  { title: 'RECORDED', value: (row) => row.recordedAt },
];

/** A line of `tpm2_pcrread`: the number, then the value in hex. */
const LINE = /^\s*(\d{1,2})\s*:\s*0x([0-9a-fA-F]{64})\s*$/;

/** Register values that gateways of a product are held against. */
export function registerReferences(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'record',
    words: 'record the registers of a gateway that is known to be good, as tpm2_pcrread prints them',
    operation: 'tpm-references.record',
    operands: ['<product>', '<file>'],
    options: [
      { flags: '--firmware <version>', words: 'the version they stand for', required: true },
      { flags: '--hardware-revision <name>', words: 'the hardware revision', required: true },
      { flags: '--counter <counter>', words: 'security counter (default: 0)', parse: wholeNumber },
    ],
    input: ([product = '', file = ''], { firmware, hardwareRevision, counter = 0 }) => ({
      product,
      body: bodyOf(RecordTpmReference, {
        version: firmware,
        hardwareRevision,
        securityCounter: counter,
        registers: registersFrom(file),
      }),
    }),
    print: ({ product, version, registers }) =>
      formatFacts(
        [
          ['product', product],
          ['version', version],
          ['registers', Object.keys(registers).join(' ')],
        ],
        io,
      ),
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list what is recorded for a product',
    operation: 'tpm-references.list',
    operands: ['<product>'],
    input: ([product = '']) => ({ product }),
    print: (page) => printPage(page, COLUMNS, io),
  });
}

/** @throws `cli.usage` when the file cannot be read or holds no register */
function registersFrom(file: string): Readonly<Record<string, string>> {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    const found = lines.flatMap((line) => {
      const [, pcr, value = ''] = LINE.exec(line) ?? [];
      return pcr === undefined ? [] : [[String(Number(pcr)), value.toLowerCase()] as const];
    });
    if (found.length > 0) return Object.fromEntries(found);
  } catch (cause) {
    throw new HoldfastError('cli.usage', { field: 'file', reason: 'the file cannot be read' }, { cause });
  }
  throw new HoldfastError('cli.usage', { field: 'file', reason: 'no register of the SHA-256 bank in it' });
}
