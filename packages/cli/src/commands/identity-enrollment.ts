import { type EnrollmentRequest, type MintedPassword, MintPasswords, type OneTimePassword } from '@holdfast/api';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts, formatTable } from '../output/table.ts';
import { addVerb, bodyOf, list, PAGING, pageQuery, pick, printPage, wholeNumber } from './verb.ts';

const MINTED_COLUMNS: readonly Column<MintedPassword>[] = [
  { title: 'USER', value: (row) => row.serial ?? row.id },
  { title: 'PASSWORD', value: (row) => row.password },
  { title: 'EXPIRES', value: (row) => row.expiresAt },
];

const PASSWORD_COLUMNS: readonly Column<OneTimePassword>[] = [
  { title: 'ID', value: (row) => row.id },
  { title: 'SERIAL', value: (row) => row.serial },
  { title: 'STATE', value: (row) => row.state },
  { title: 'USED', value: (row) => row.usedAt },
  { title: 'EXPIRES', value: (row) => row.expiresAt },
];

const REQUEST_COLUMNS: readonly Column<EnrollmentRequest>[] = [
  { title: 'REQUEST', value: (row) => row.id },
  { title: 'PRODUCT', value: (row) => row.product },
  { title: 'SERIAL', value: (row) => row.serial },
  { title: 'STATE', value: (row) => row.state },
  { title: 'ADDRESS', value: (row) => row.address },
  { title: 'SINCE', value: (row) => row.createdAt },
];

function requestFacts(request: EnrollmentRequest, io: CommandIo): string {
  return formatFacts(
    [
      ['request', request.id],
      ['product', request.product],
      ['serial', request.serial],
      ['state', request.state],
      ['key', request.keySha256],
      ['address', request.address],
      ['claim', request.claim],
      ['decided by', request.decidedBy],
    ],
    io,
  );
}

export function registerPasswords(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'otp',
    words: 'make one-time passwords of a claim; each is shown this once',
    operation: 'claims.mint-passwords',
    operands: ['<claim>'],
    options: [
      { flags: '--serials <serials>', words: 'one for each of these serial numbers, comma separated', parse: list },
      { flags: '--count <count>', words: 'so many that are of the claim as a whole', parse: wholeNumber },
      { flags: '--expires-in-hours <hours>', words: 'their life (default: as long as the claim)', parse: wholeNumber },
    ],
    input: ([claim = ''], options) => ({
      claim,
      body: bodyOf(
        MintPasswords,
        pick(options, { serials: 'serials', count: 'count', expiresInHours: 'expiresInHours' }),
      ),
    }),
    print: ({ passwords }) => formatTable(passwords, MINTED_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'passwords',
    words: 'list the one-time passwords of a claim and whether they were used',
    operation: 'claims.passwords',
    operands: ['<claim>'],
    options: PAGING,
    input: ([claim = ''], options) => ({ claim, query: pageQuery(options) }),
    print: (page) => printPage(page, PASSWORD_COLUMNS, io),
  });
}

export function registerRequests(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'list',
    words: 'list devices that wait for approval, and those decided on',
    operation: 'enrollment-requests.list',
    options: PAGING,
    input: (_, options) => ({ query: pageQuery(options) }),
    print: (page) => printPage(page, REQUEST_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'approve',
    words: 'let a waiting device have its certificate the next time it asks',
    operation: 'enrollment-requests.approve',
    operands: ['<request>'],
    input: ([request = '']) => ({ request }),
    print: requestFacts,
  });
  addVerb(noun, io, {
    name: 'deny',
    words: 'refuse a waiting device',
    operation: 'enrollment-requests.deny',
    operands: ['<request>'],
    input: ([request = '']) => ({ request }),
    print: requestFacts,
  });
}
