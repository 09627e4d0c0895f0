import type { AuditEntry, AuditVerdict } from '@holdfast/api';
import type { Command } from 'commander';
import { AnswerIsNo } from '../output/failure.ts';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts, formatJson } from '../output/table.ts';
import {
  addConnectionOptions,
  addVerb,
  clientFrom,
  type GivenOptions,
  PAGING,
  pageQuery,
  pick,
  printPage,
} from './verb.ts';

const ENTRY_COLUMNS: readonly Column<AuditEntry>[] = [
  { title: 'SEQUENCE', value: (row) => row.sequence },
  { title: 'AT', value: (row) => row.at },
  { title: 'ACTOR', value: (row) => row.actor },
  { title: 'ACTION', value: (row) => row.action },
  { title: 'SUBJECT', value: (row) => row.subject },
  { title: 'DETAILS', value: (row) => JSON.stringify(row.details) },
];

export function registerAudit(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'list',
    words: 'read the log, newest first',
    operation: 'audit.list',
    options: [
      { flags: '--subject <id>', words: 'about this device, claim, release or rollout' },
      { flags: '--action <action>', words: 'of this kind, such as device.revoked' },
      ...PAGING,
    ],
    input: (_, options) => ({
      query: { ...pageQuery(options), ...pick(options, { subject: 'subject', action: 'action' }) },
    }),
    print: (page) => printPage(page, ENTRY_COLUMNS, io),
  });
  const verify = noun
    .command('verify')
    .description('check every entry against its hash and the signed checkpoints')
    .option('--json', 'one JSON document');
  addConnectionOptions(verify).action(async (options: GivenOptions) => {
    const verdict = await clientFrom(options, io).call('audit.verify', {});
    io.out(options['json'] === true ? formatJson(verdict) : formatFacts(verdictFacts(verdict), io));
    if (verdict.kind === 'broken') throw new AnswerIsNo();
  });
}

function verdictFacts(verdict: AuditVerdict): readonly (readonly [string, string | number])[] {
  if (verdict.kind === 'broken') {
    return [
      ['log', 'broken'],
      ['first bad entry', verdict.firstBad.sequence],
      ['because', verdict.firstBad.reason],
    ];
  }
  return [
    ['log', 'intact'],
    ['entries', verdict.entries],
    ['signed checkpoints', verdict.checkpoints],
  ];
}
