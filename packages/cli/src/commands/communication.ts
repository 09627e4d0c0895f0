import { readFileSync } from 'node:fs';
import { type AccessExplanation, ExplainAccess, type Policy, PolicyTarget, PutPolicy } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts, formatTable } from '../output/table.ts';
import { registerSinks } from './communication-sink.ts';
import { addVerb, bodyOf, PAGING, pageQuery, pick, printPage } from './verb.ts';

const POLICY_COLUMNS: readonly Column<Policy>[] = [
  { title: 'POLICY', value: (row) => row.name },
  { title: 'VERSION', value: (row) => row.version },
  { title: 'CHANGED', value: (row) => row.changedAt },
];

const ANSWER_COLUMNS: readonly Column<AccessExplanation>[] = [
  { title: 'ACTION', value: (row) => row.verb },
  { title: 'RESOURCE', value: (row) => row.resource },
  { title: 'ANSWER', value: (row) => (row.allowed ? 'allowed' : 'denied') },
  { title: 'RIGHTS', value: (row) => row.rights },
  {
    title: 'DECIDED BY',
    value: ({ deniedBy, statement }) =>
      [deniedBy, statement === undefined ? 'no statement allows it' : `${statement.policy}#${statement.index}`]
        .filter((part) => part !== undefined)
        .join(': '),
  },
];

function policyFacts({ name, version, changedAt, document }: Policy, io: CommandIo): string {
  return formatFacts(
    [
      ['policy', name],
      ['version', version],
      ['changed', changedAt],
      ['document', document.trim()],
    ],
    io,
  );
}

export function registerCommunication(noun: Command, io: CommandIo): void {
  registerSinks(noun.command('sink').description('where messages of devices go'), io);
  registerPolicies(noun.command('policy').description('AWS IoT policy documents'), io);
  addVerb(noun, io, {
    name: 'explain',
    words: 'what a device may do now, and which statement decides',
    operation: 'devices.explain',
    operands: ['<device>', '<action>', '<topic>'],
    options: [{ flags: '--from <address>', words: 'address it would come from (default: 127.0.0.1)' }],
    input: ([device = '', verb, resource], options) => ({
      device,
      body: bodyOf(ExplainAccess, { questions: [{ verb, resource }], ...pick(options, { from: 'from' }) }),
    }),
    print: ({ answers }) => formatTable(answers, ANSWER_COLUMNS, io),
  });
}

function registerPolicies(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'put',
    words: 'create or replace a policy from a JSON file',
    operation: 'policies.put',
    operands: ['<policy>', '<file>'],
    input: ([policy = '', file = '']) => ({ policy, body: bodyOf(PutPolicy, { document: readDocument(file) }) }),
    print: policyFacts,
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list policies',
    operation: 'policies.list',
    options: PAGING,
    input: (_, options) => ({ query: pageQuery(options) }),
    print: (page) => printPage(page, POLICY_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'show a policy',
    operation: 'policies.show',
    operands: ['<policy>'],
    input: ([policy = '']) => ({ policy }),
    print: policyFacts,
  });
  addVerb(noun, io, {
    name: 'remove',
    words: 'remove a policy that is attached to nothing',
    operation: 'policies.remove',
    operands: ['<policy>'],
    input: ([policy = '']) => ({ policy }),
    print: () => '',
  });
  for (const verb of ['attach', 'detach'] as const) {
    addVerb(noun, io, {
      name: verb,
      words: `${verb} a policy: group NAME or device ID`,
      operation: `policies.${verb}`,
      operands: ['<policy>', '<kind>', '<id>'],
      input: ([policy = '', kind, id]) => ({ policy, body: bodyOf(PolicyTarget, { kind, id }) }),
      print: () => '',
    });
  }
}

function readDocument(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path }, { cause });
  }
}
