import path from 'node:path';
import {
  type CertifiedOperator,
  CertifyOperator,
  ChangeOperatorRole,
  CreateOperator,
  type Operator,
} from '@holdfast/api';
import { createCsr, createSigner, generatePrivateKey } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { writeNewFile } from '../output/new-file.ts';
import { type Column, formatFacts, formatJson } from '../output/table.ts';
import {
  addConnectionOptions,
  addVerb,
  bodyOf,
  clientFrom,
  type GivenOptions,
  PAGING,
  pageQuery,
  pick,
  printPage,
  wholeNumber,
} from './verb.ts';

const COLUMNS: readonly Column<Operator>[] = [
  { title: 'OPERATOR', value: (row) => row.name },
  { title: 'ROLE', value: (row) => row.role },
  { title: 'STATE', value: (row) => row.state },
  { title: 'SINCE', value: (row) => row.createdAt },
  { title: 'BY', value: (row) => row.createdBy },
];

function operatorFacts(operator: Operator, io: CommandIo): string {
  return formatFacts(
    [
      ['operator', operator.name],
      ['role', operator.role],
      ['state', operator.state],
      ['since', operator.createdAt],
      ['by', operator.createdBy],
    ],
    io,
  );
}

export function registerOperators(noun: Command, io: CommandIo): void {
  registerCreate(noun, io);
  registerCertify(noun, io);
  addVerb(noun, io, {
    name: 'list',
    words: 'list operators',
    operation: 'operators.list',
    options: PAGING,
    input: (_, options) => ({ query: pageQuery(options) }),
    print: (page) => printPage(page, COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'show an operator',
    operation: 'operators.show',
    operands: ['<name>'],
    input: ([operator = '']) => ({ operator }),
    print: operatorFacts,
  });
  addVerb(noun, io, {
    name: 'role',
    words: 'change what an operator may do: viewer, operator or security',
    operation: 'operators.change-role',
    operands: ['<name>', '<role>'],
    input: ([operator = '', role]) => ({ operator, body: bodyOf(ChangeOperatorRole, { role }) }),
    print: operatorFacts,
  });
  addVerb(noun, io, {
    name: 'revoke',
    words: 'revoke an operator with all certificates, at once',
    operation: 'operators.revoke',
    operands: ['<name>'],
    input: ([operator = '']) => ({ operator }),
    print: operatorFacts,
  });
}

function registerCreate(noun: Command, io: CommandIo): void {
  const command = noun
    .command('create')
    .description('create an operator; the key is made here and leaves no trace on the server')
    .argument('<name>')
    .requiredOption('--out <prefix>', 'writes PREFIX.key (mode 0600), PREFIX.crt, PREFIX.ca.crt and PREFIX.json')
    .option('--role <role>', 'viewer, operator, security or factory', 'operator')
    .option('--days <days>', 'life of the certificate (default: 90)', wholeNumber)
    .option('--url <url>', 'where the operator finds the server, for PREFIX.json (default: https://localhost:9443)')
    .option('--json', 'one JSON document');
  addConnectionOptions(command).action(async (name: string, options: GivenOptions) => {
    const { csrPem, keyPem } = await makeRequest(name);
    const body = bodyOf(CreateOperator, { name, csrPem, ...pick(options, { role: 'role', days: 'days' }) });
    const made = await clientFrom(options, io).call('operators.create', { body });
    handOver(made, keyPem, options, io);
  });
}

function registerCertify(noun: Command, io: CommandIo): void {
  const command = noun
    .command('certify')
    .description('give an operator another certificate before the present one ends')
    .argument('<name>')
    .requiredOption('--out <prefix>', 'as for create')
    .option('--days <days>', 'life of the certificate (default: 90)', wholeNumber)
    .option('--url <url>', 'as for create')
    .option('--json', 'one JSON document');
  addConnectionOptions(command).action(async (operator: string, options: GivenOptions) => {
    const { csrPem, keyPem } = await makeRequest(operator);
    const body = bodyOf(CertifyOperator, { csrPem, ...pick(options, { days: 'days' }) });
    const made = await clientFrom(options, io).call('operators.certify', { operator, body });
    handOver(made, keyPem, options, io);
  });
}

async function makeRequest(name: string): Promise<{ readonly csrPem: string; readonly keyPem: string }> {
  const key = await generatePrivateKey('P-256');
  const csrDer = await createCsr({ subject: [{ type: 'commonName', value: name }] }, createSigner(key));
  return { csrPem: encodePem('CERTIFICATE REQUEST', csrDer), keyPem: key.exportPem() };
}

function handOver(made: CertifiedOperator, keyPem: string, options: GivenOptions, io: CommandIo): void {
  const prefix = options['out'];
  if (typeof prefix !== 'string' || prefix === '') throw new HoldfastError('request.invalid', { option: '--out' });
  const { anchorsPem, certificatePem, ...operator } = made;
  const base = path.basename(prefix);
  const server = typeof options['url'] === 'string' ? options['url'] : 'https://localhost:9443';
  const profile = { server, cert: `${base}.crt`, key: `${base}.key`, ca: `${base}.ca.crt` };
  writeNewFile(`${prefix}.key`, keyPem, 0o600);
  writeNewFile(`${prefix}.crt`, certificatePem, 0o644);
  writeNewFile(`${prefix}.ca.crt`, anchorsPem, 0o644);
  writeNewFile(`${prefix}.json`, formatJson(profile), 0o644);
  io.err(`wrote ${prefix}.key, .crt, .ca.crt and .json; use them with --profile ${prefix}.json\n`);
  io.out(options['json'] === true ? formatJson(operator) : operatorFacts(operator, io));
}
