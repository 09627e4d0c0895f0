import { readFileSync } from 'node:fs';
import { type ListedTpm, ListTpm, type TpmMaker, TrustTpmMaker } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts } from '../output/table.ts';
import { addVerb, bodyOf, type GivenOptions, printPage } from './verb.ts';

const TPM_COLUMNS: readonly Column<ListedTpm>[] = [
  { title: 'SERIAL', value: (row) => row.serial },
  { title: 'ENDORSEMENT KEY', value: (row) => row.keySha256 },
  { title: 'LISTED', value: (row) => row.createdAt },
];

const MAKER_COLUMNS: readonly Column<TpmMaker>[] = [
  { title: 'FINGERPRINT', value: (row) => row.fingerprint },
  { title: 'NAME', value: (row) => row.name },
  { title: 'CLAIM', value: (row) => row.claim },
];

const CLAIM = { flags: '--claim <claim>', words: 'the claim its devices enroll under', required: true } as const;

function makerFacts({ fingerprint, name, claim }: TpmMaker, io: CommandIo): string {
  return formatFacts(
    [
      ['fingerprint', fingerprint],
      ['name', name],
      ['claim', claim],
    ],
    io,
  );
}

/** Which TPMs may enroll their device. */
export function registerTpms(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'add',
    words: 'list one TPM for one device, by its endorsement certificate (DER as read from the TPM, or PEM)',
    operation: 'tpms.add',
    operands: ['<certificate>'],
    options: [CLAIM, { flags: '--serial <serial>', words: 'the device it is in', required: true }],
    input: ([file = ''], { claim, serial }) => ({
      body: bodyOf(ListTpm, { certificatePem: certificateFrom(file), claim, serial }),
    }),
    print: ({ serial, keySha256, claim }) =>
      formatFacts(
        [
          ['serial', serial],
          ['endorsement key', keySha256],
          ['claim', claim],
        ],
        io,
      ),
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list the TPMs of a claim',
    operation: 'tpms.list',
    operands: ['<claim>'],
    input: ([claim = '']) => ({ claim }),
    print: (page) => printPage(page, TPM_COLUMNS, io),
  });
  registerMakers(noun.command('maker').description('makers of TPMs whose every TPM may enroll'), io);
}

function registerMakers(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'trust',
    words: 'let every TPM of a maker enroll under a claim, within its limits',
    operation: 'tpm-makers.trust',
    operands: ['<certificate>'],
    options: [CLAIM],
    input: ([file = ''], { claim }: GivenOptions) => ({
      body: bodyOf(TrustTpmMaker, { certificatePem: certificateFrom(file), claim }),
    }),
    print: (maker) => makerFacts(maker, io),
  });
  addVerb(noun, io, {
    name: 'distrust',
    words: 'let no more TPMs of a maker enroll; those that did stay',
    operation: 'tpm-makers.distrust',
    operands: ['<fingerprint>'],
    input: ([maker = '']) => ({ maker }),
    print: (maker) => makerFacts(maker, io),
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list makers that are trusted',
    operation: 'tpm-makers.list',
    input: () => ({}),
    print: (page) => printPage(page, MAKER_COLUMNS, io),
  });
}

/** @throws `cli.usage` when the file cannot be read */
function certificateFrom(file: string): string {
  try {
    const bytes = readFileSync(file);
    return bytes[0] === 0x30 ? encodePem('CERTIFICATE', bytes) : bytes.toString('latin1');
  } catch (cause) {
    throw new HoldfastError('cli.usage', { field: 'certificate', reason: 'the file cannot be read' }, { cause });
  }
}
