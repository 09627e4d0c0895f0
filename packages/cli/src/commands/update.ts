import { createReadStream } from 'node:fs';
import { CreateRelease, CreateRollout, type Rehearsal, type Release, type Rollout } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { rehearsalTable } from '../output/rehearsal.ts';
import { writeNewFile } from '../output/new-file.ts';
import { type Column, formatFacts, formatJson, formatTable } from '../output/table.ts';
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
  type VerbOption,
  wholeNumber,
} from './verb.ts';

const RELEASE_COLUMNS: readonly Column<Release>[] = [
  { title: 'RELEASE', value: (row) => row.id },
  { title: 'PRODUCT', value: (row) => row.product },
  { title: 'VERSION', value: (row) => row.version },
  { title: 'COUNTER', value: (row) => row.securityCounter },
  { title: 'SIGNED', value: (row) => `${row.signatures.present}-of-${row.signatures.threshold}` },
  { title: 'STATE', value: (row) => row.state },
];

const ROLLOUT_COLUMNS: readonly Column<Rollout>[] = [
  { title: 'ROLLOUT', value: (row) => row.id },
  { title: 'RELEASE', value: (row) => row.releaseId },
  { title: 'VERSION', value: (row) => row.version },
  { title: 'STATE', value: (row) => row.state },
  { title: 'EXECUTIONS', value: (row) => countsOf(row.counts) },
  { title: 'OUTCOMES', value: (row) => countsOf(row.outcomes) },
];

const TARGET: readonly VerbOption[] = [
  { flags: '--release <id>', words: 'the release to bring', required: true },
  { flags: '--group <name>', words: 'to every device of this group' },
  { flags: '--devices <ids>', words: 'to these devices, comma separated', parse: list },
  { flags: '--timeout-minutes <minutes>', words: 'how long a device may take (default: 60)', parse: wholeNumber },
];

function countsOf(counts: Readonly<Record<string, number | undefined>>): string {
  const parts = Object.entries(counts).filter(([, count]) => count !== undefined && count > 0);
  return parts.map(([name, count]) => `${name} ${count}`).join(', ');
}

function releaseFacts(release: Release, io: CommandIo): string {
  return formatFacts(
    [
      ['release', release.id],
      ['product', `${release.product} ${release.hardwareRevision}`],
      ['version', release.version],
      ['security counter', release.securityCounter],
      ['image sha256', release.imageSha256],
      ['image bytes', release.imageLength],
      ['release root', `${release.signatures.present}-of-${release.signatures.threshold}`],
      ['state', release.state],
    ],
    io,
  );
}

function rolloutFacts(rollout: Rollout, io: CommandIo): string {
  return formatFacts(
    [
      ['rollout', rollout.id],
      ['release', `${rollout.releaseId} (${rollout.product} ${rollout.version})`],
      ['state', rollout.state],
      ['executions', countsOf(rollout.counts)],
      ['outcomes', countsOf(rollout.outcomes)],
    ],
    io,
  );
}

function targetOf(options: GivenOptions) {
  return bodyOf(
    CreateRollout,
    pick(options, {
      releaseId: 'release',
      group: 'group',
      devices: 'devices',
      inProgressTimeoutMinutes: 'timeoutMinutes',
    }),
  );
}

export function registerUpdate(noun: Command, io: CommandIo): void {
  registerReleases(noun.command('release').description('signed firmware'), io);
  registerRollouts(noun.command('rollout').description('firmware on its way to devices'), io);
  addVerb(noun, io, {
    name: 'plan',
    words: 'whom a rollout would reach, and whom not and why',
    operation: 'rollouts.plan',
    options: TARGET,
    input: (_, options) => ({ body: targetOf(options) }),
    print: (plan) =>
      formatTable(
        [
          ...plan.targets.map((deviceId) => ({ deviceId, verdict: 'update', words: '' })),
          ...plan.excluded.map(({ deviceId, words }) => ({ deviceId, verdict: 'excluded', words })),
        ],
        [
          { title: 'DEVICE', value: (row) => row.deviceId },
          { title: 'VERDICT', value: (row) => row.verdict },
          { title: 'BECAUSE', value: (row) => row.words },
        ],
        io,
      ),
  });
}

function registerReleases(noun: Command, io: CommandIo): void {
  const create = noun
    .command('create')
    .description('upload firmware, sign it, verify it and publish it as a release')
    .argument('<image>', 'raw firmware, or an image that is signed already (--signed)')
    .requiredOption('--product <name>', 'product it is for')
    .requiredOption('--version <version>', 'major.minor.revision[+build]')
    .requiredOption('--security-counter <number>', 'counter its devices raise on confirmation', wholeNumber)
    .option('--hardware-revision <name>', 'hardware revision (default: the product has one)')
    .option('--signed', 'the image is signed already')
    .option('--json', 'one JSON document');
  addConnectionOptions(create).action(async (image: string, options: GivenOptions) => {
    const client = clientFrom(options, io);
    const { id: artifactId } = await client.call('artifacts.upload', { octets: readImage(image) });
    const fields = {
      product: 'product',
      version: 'version',
      securityCounter: 'securityCounter',
      signed: 'signed',
      hardwareRevision: 'hardwareRevision',
    };
    const body = bodyOf(CreateRelease, { artifactId, ...pick(options, fields) });
    const release = await client.call('releases.create', { body });
    io.out(options['json'] === true ? formatJson(release) : releaseFacts(release, io));
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list releases',
    operation: 'releases.list',
    options: PAGING,
    input: (_, options) => ({ query: pageQuery(options) }),
    print: (page) => printPage(page, RELEASE_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'show a release',
    operation: 'releases.show',
    operands: ['<release>'],
    input: ([release = '']) => ({ release }),
    print: (release) => releaseFacts(release, io) + rehearsalWords(release.rehearsal, io),
  });
  addRehearsal(noun, io, {
    name: 'rehearse',
    words: 'boot a release in the virtual chip of its product, with power cuts',
    operation: 'releases.rehearse',
  });
  addRehearsal(noun, io, {
    name: 'rehearsal',
    words: 'how the rehearsal of a release stands',
    operation: 'releases.rehearsal',
  });
  addRehearsal(noun, io, {
    name: 'cancel-rehearsal',
    words: 'end the rehearsal that is under way',
    operation: 'releases.cancel-rehearsal',
  });
  const image = noun
    .command('image')
    .description('write the signed image of a release to a new file, for the factory to flash')
    .argument('<release>')
    .argument('<file>');
  addConnectionOptions(image).action(async (release: string, file: string, options: GivenOptions) => {
    const bytes = await clientFrom(options, io).call('releases.image', { release });
    writeNewFile(file, bytes, 0o644);
  });
  addVerb(noun, io, {
    name: 'cancel',
    words: 'withdraw a release: no new rollout, no further download',
    operation: 'releases.cancel',
    operands: ['<release>'],
    input: ([release = '']) => ({ release }),
    print: releaseFacts,
  });
}

interface RehearsalVerb {
  readonly name: string;
  readonly words: string;
  readonly operation: 'releases.rehearsal' | 'releases.rehearse' | 'releases.cancel-rehearsal';
}

function addRehearsal(noun: Command, io: CommandIo, verb: RehearsalVerb): void {
  addVerb(noun, io, {
    ...verb,
    operands: ['<release>'],
    input: ([release = '']) => ({ release }),
    print: (rehearsal) => rehearsalWords(rehearsal, io),
  });
}

function rehearsalWords({ state, progress, report }: Rehearsal, io: CommandIo): string {
  if (report !== undefined) return rehearsalTable(report, io);
  const at = progress === undefined ? '' : `, ${progress.step}, ${progress.cuts} power cuts`;
  return formatFacts([['rehearsal', `${state === 'none' ? 'not rehearsed yet' : state}${at}`]], io);
}

function registerRollouts(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'create',
    words: 'start a rollout',
    operation: 'rollouts.create',
    options: TARGET,
    input: (_, options) => ({ body: targetOf(options) }),
    print: rolloutFacts,
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list rollouts',
    operation: 'rollouts.list',
    options: PAGING,
    input: (_, options) => ({ query: pageQuery(options) }),
    print: (page) => printPage(page, ROLLOUT_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'show a rollout and each device in it',
    operation: 'rollouts.show',
    operands: ['<rollout>'],
    input: ([rollout = '']) => ({ rollout }),
    print: (rollout) =>
      rolloutFacts(rollout, io) +
      formatTable(
        rollout.executions,
        [
          { title: 'DEVICE', value: (row) => row.deviceId },
          { title: 'STATUS', value: (row) => (row.awaitingProof ? `${row.status} (awaiting proof)` : row.status) },
          { title: 'OUTCOME', value: (row) => row.outcome },
          { title: 'REASON', value: (row) => row.reason },
        ],
        io,
      ),
  });
  addVerb(noun, io, {
    name: 'cancel',
    words: 'stop a rollout: no new device starts, open jobs are cancelled',
    operation: 'rollouts.cancel',
    operands: ['<rollout>'],
    input: ([rollout = '']) => ({ rollout }),
    print: rolloutFacts,
  });
}

async function* readImage(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1_048_576 })) yield chunk as Buffer;
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path }, { cause });
  }
}
