import { readFileSync } from 'node:fs';
import { PreviewRevocation, type RevocationPreview, RevokeDevice, RunRevocation } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { formatFacts, formatJson } from '../output/table.ts';
import { addConnectionOptions, addVerb, bodyOf, clientFrom, type GivenOptions, pick, wholeNumber } from './verb.ts';

export function registerRevocations(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'revoke-certificate',
    words: 'revoke one certificate and cut what uses it',
    operation: 'certificates.revoke',
    operands: ['<sha256>'],
    options: [{ flags: '--reason <reason>', words: 'RFC 5280 reason (default: unspecified)' }],
    input: ([text = ''], options) => ({
      certificate: text.replaceAll(':', '').toLowerCase(),
      body: bodyOf(RevokeDevice, pick(options, { reason: 'reason' })),
    }),
    print: (outcome) =>
      formatFacts(
        [
          ['outcome', outcome.kind],
          ['sessions cut', outcome.sessionsCut],
          ['took ms', Math.round(outcome.elapsedMs)],
        ],
        io,
      ),
  });
  registerMany(noun, io);
}

/** Without the number that the preview gives, it only looks: nobody revokes a fleet by a wrong key. */
function registerMany(noun: Command, io: CommandIo): void {
  const command = noun
    .command('revoke-many')
    .description('revoke a batch, all a claim enrolled, all an authority certified, or everything')
    .option('--devices <file>', 'device ids, one a line')
    .option('--claim <claim>', 'the claim and the devices it enrolled')
    .option('--issuer <sha256>', 'all that this issuing authority certified')
    .option('--everything', 'all devices and claims')
    .option('--reason <reason>', 'RFC 5280 reason (default: unspecified)')
    .option('--expect <devices>', 'revoke, if this is the number of devices; without it only a preview', wholeNumber)
    .option('--json', 'one JSON document');
  addConnectionOptions(command).action(async (options: GivenOptions) => {
    const client = clientFrom(options, io);
    const target = targetOf(options);
    if (options['expect'] === undefined) {
      const preview = await client.call('revocations.preview', { body: bodyOf(PreviewRevocation, { target }) });
      io.err(`nobody was revoked; to do it: --expect ${preview.devices}\n`);
      io.out(options['json'] === true ? formatJson(preview) : previewFacts(preview, io));
      return;
    }
    const body = bodyOf(RunRevocation, { target, ...pick(options, { reason: 'reason', expected: 'expect' }) });
    const outcome = await client.call('revocations.run', { body });
    const facts = [
      ['devices revoked', outcome.devices],
      ['certificates revoked', outcome.certificates],
      ['claims cancelled', outcome.claims],
      ['ticket epoch', outcome.ticketEpoch],
      ['took ms', Math.round(outcome.elapsedMs)],
    ] as const;
    io.out(options['json'] === true ? formatJson(outcome) : formatFacts(facts, io));
  });
}

function previewFacts(preview: RevocationPreview, io: CommandIo): string {
  return formatFacts(
    [
      ['devices', preview.devices],
      ['certificates', preview.certificates],
      ['claims', preview.claims],
      ['revoked before', preview.already],
      ['unknown', preview.unknown],
    ],
    io,
  );
}

function targetOf(options: GivenOptions): object {
  const { devices, claim, issuer, everything } = options;
  const targets = [
    ...(typeof devices === 'string' ? [{ kind: 'devices', devices: readLines(devices) }] : []),
    ...(typeof claim === 'string' ? [{ kind: 'claim', claim }] : []),
    ...(typeof issuer === 'string' ? [{ kind: 'issuer', issuer: issuer.replaceAll(':', '').toLowerCase() }] : []),
    ...(everything === true ? [{ kind: 'tenant' }] : []),
  ];
  const [target] = targets;
  if (target === undefined || targets.length > 1) {
    throw new HoldfastError('request.invalid', { reason: 'one of --devices, --claim, --issuer and --everything' });
  }
  return target;
}

function readLines(file: string): readonly string[] {
  try {
    const lines = readFileSync(file, 'utf8').split(/\r?\n/);
    return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}
