import { type Claim, CreateClaim } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { writeNewFile } from '../output/new-file.ts';
import { type Column, formatFacts } from '../output/table.ts';
import {
  addConnectionOptions,
  addVerb,
  bodyOf,
  clientFrom,
  type GivenOptions,
  list,
  PAGING,
  pageQuery,
  pick,
  printPage,
  wholeNumber,
} from './verb.ts';
import { formatJson } from '../output/table.ts';

const CLAIM_COLUMNS: readonly Column<Claim>[] = [
  { title: 'CLAIM', value: (row) => row.id },
  { title: 'PRODUCT', value: (row) => row.product },
  { title: 'STATE', value: (row) => row.state },
  { title: 'USED', value: (row) => `${row.used}/${row.limit}` },
  { title: 'EXPIRES', value: (row) => row.expiresAt },
];

function claimFacts(claim: Claim, io: CommandIo): string {
  return formatFacts(
    [
      ['claim', claim.id],
      ['product', claim.product],
      ['template', claim.template],
      ['state', claim.state],
      ['limit', `${claim.limit} ${claim.scope === 'serials' ? 'listed serial numbers' : 'devices'}`],
      ['used', claim.used],
      ['expires', claim.expiresAt],
    ],
    io,
  );
}

export function registerClaims(noun: Command, io: CommandIo): void {
  registerCreate(noun, io);
  addVerb(noun, io, {
    name: 'list',
    words: 'list claims',
    operation: 'claims.list',
    options: PAGING,
    input: (_, options) => ({ query: pageQuery(options) }),
    print: (page) => printPage(page, CLAIM_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'show a claim',
    operation: 'claims.show',
    operands: ['<claim>'],
    input: ([claim = '']) => ({ claim }),
    print: claimFacts,
  });
  addVerb(noun, io, {
    name: 'cancel',
    words: 'cancel a claim and its pending certificates',
    operation: 'claims.cancel',
    operands: ['<claim>'],
    input: ([claim = '']) => ({ claim }),
    print: claimFacts,
  });
}

/** The claim's key goes into a file of the user's alone; it is shown nowhere and kept nowhere else. */
function registerCreate(noun: Command, io: CommandIo): void {
  const create = noun
    .command('create')
    .description('create a claim; its key is written once and kept nowhere')
    .requiredOption('--product <name>', 'product its devices belong to')
    .requiredOption('--out <prefix>', 'writes PREFIX.crt and PREFIX.key (mode 0600)')
    .option('--serials <serials>', 'serial numbers it may register, comma separated', list)
    .option('--quota <count>', 'how many devices it may register', wholeNumber)
    .option('--hardware-revision <name>', 'hardware revision of devices it adds')
    .option('--groups <names>', 'groups its devices join, comma separated', list)
    .option('--expires-in-hours <hours>', 'its life in hours (default: 24)', wholeNumber)
    .option('--template <name>', 'provisioning template its devices are registered by')
    .option('--trusted-user', 'for one device in your hand: five minutes, a quota of one unless more is given')
    .option('--registered-only', 'refuse serials the registry does not know')
    .option('--json', 'one JSON document');
  addConnectionOptions(create).action(async (options: GivenOptions) => {
    const body = bodyOf(CreateClaim, {
      autoRegister: options['registeredOnly'] !== true,
      ...pick(options, {
        product: 'product',
        serials: 'serials',
        quota: 'quota',
        hardwareRevision: 'hardwareRevision',
        groups: 'groups',
        expiresInHours: 'expiresInHours',
        template: 'template',
        trustedUser: 'trustedUser',
      }),
    });
    const prefix = options['out'];
    if (typeof prefix !== 'string' || prefix === '') throw new HoldfastError('request.invalid', { option: '--out' });
    const { certificatePem, privateKeyPem, ...claim } = await clientFrom(options, io).call('claims.create', { body });
    writeNewFile(`${prefix}.key`, privateKeyPem, 0o600);
    writeNewFile(`${prefix}.crt`, certificatePem, 0o644);
    io.err(`wrote ${prefix}.crt and ${prefix}.key\n`);
    io.out(options['json'] === true ? formatJson(claim) : claimFacts(claim, io));
  });
}
