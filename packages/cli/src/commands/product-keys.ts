import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { AddProductKey, type ProductKey, RevokeProductKey, RotateProductKey } from '@holdfast/api';
import { exportKeySet, KEY_SET_FORMS } from '@holdfast/trust/boot';
import { decodePemBlocks } from '@holdfast/wire/pem';
import type { Command } from 'commander';
import { readBytes } from '../boot/files.ts';
import { optionalNumber } from '../boot/option-values.ts';
import type { CommandIo } from '../output/io.ts';
import { writeNewFile } from '../output/new-file.ts';
import { type Column, formatFacts, formatJson, formatTable } from '../output/table.ts';
import { addConnectionOptions, addVerb, bodyOf, clientFrom, type GivenOptions, pick, type VerbOption } from './verb.ts';

const COLUMNS: readonly Column<ProductKey>[] = [
  { title: 'KEY', value: (row) => row.id },
  { title: 'PLACE', value: (row) => row.slot },
  { title: 'STATE', value: (row) => row.state },
  { title: 'CUSTODY', value: (row) => row.custody },
  { title: 'HASH', value: (row) => row.keyHash },
];

const REASON: VerbOption = { flags: '--reason <text>', words: 'why, for the log', required: true };

function keyFacts(key: ProductKey, io: CommandIo): string {
  return formatFacts(
    [
      ['key', key.id],
      ['place', key.slot],
      ['state', key.state],
      ['custody', key.custody],
      ['hash', key.keyHash],
    ],
    io,
  );
}

/** `holdfast product key …`: the keys its images may be signed with. */
export function registerProductKeys(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'list',
    words: 'list the keys its images may be signed with',
    operation: 'products.keys',
    operands: ['<product>'],
    input: ([product = '']) => ({ product }),
    print: ({ rows }) => formatTable(rows, COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'add',
    words: 'add a key that new devices hold, and that signs once the set is rotated to it',
    operation: 'products.add-key',
    operands: ['<product>'],
    options: [
      { flags: '--kind <kind>', words: 'made here: ecdsa-p256 (default), ed25519, rsa-2048 or rsa-3072' },
      { flags: '--public-key <file>', words: 'the public half, PEM, of a key that stays elsewhere' },
    ],
    input: ([product = ''], options) => ({ product, body: bodyOf(AddProductKey, additionOf(options)) }),
    print: keyFacts,
  });
  addVerb(noun, io, {
    name: 'rotate',
    words: 'sign with another key from now on; refused when devices in the field do not hold it',
    operation: 'products.rotate-key',
    operands: ['<product>'],
    options: [
      { flags: '--to <key>', words: 'the key (default: the one that is next)' },
      { flags: '--strand-devices', words: 'rotate though devices that do not hold the key take no update any more' },
      REASON,
    ],
    input: ([product = ''], options) => ({
      product,
      body: bodyOf(RotateProductKey, pick(options, { key: 'to', reason: 'reason', strand: 'strandDevices' })),
    }),
    print: keyFacts,
  });
  addVerb(noun, io, {
    name: 'revoke',
    words: 'accept no image of a key any more',
    operation: 'products.revoke-key',
    operands: ['<product>', '<key>'],
    options: [REASON],
    input: ([product = '', key = ''], options) => ({
      product,
      key,
      body: bodyOf(RevokeProductKey, pick(options, { reason: 'reason' })),
    }),
    print: keyFacts,
  });
  registerExport(noun, io);
}

function additionOf(options: GivenOptions): Record<string, unknown> {
  const file = options['publicKey'];
  const pem = typeof file === 'string' ? { publicKeyPem: new TextDecoder().decode(readBytes(file)) } : {};
  return { ...pick(options, { kind: 'kind' }), ...pem };
}

function registerExport(noun: Command, io: CommandIo): void {
  const verb = noun
    .command('export')
    .description('write the public keys as the boot code of a chip takes them in')
    .argument('<product>')
    .argument('<folder>', 'made when it is missing; its files are never overwritten')
    .requiredOption('--form <form>', KEY_SET_FORMS.join(', '))
    .option('--s0-address <address>', 'nrf-provision: flash address of the first slot')
    .option('--s1-address <address>', 'nrf-provision: flash address of the second slot')
    .option('--json', 'one JSON document');
  addConnectionOptions(verb).action(async (product: string, folder: string, options: GivenOptions) => {
    const { rows } = await clientFrom(options, io).call('products.keys', { product });
    const keys = rows.map(({ slot, state, publicKeyPem }) => ({
      slot,
      revoked: state === 'revoked',
      spki: decodePemBlocks(publicKeyPem)[0]?.bytes ?? new Uint8Array(0),
    }));
    const files = exportKeySet(String(options['form']), keys, {
      s0Address: optionalNumber(options, 's0Address', 's0-address'),
      s1Address: optionalNumber(options, 's1Address', 's1-address'),
    });
    mkdirSync(folder, { recursive: true });
    for (const { name, bytes } of files) writeNewFile(path.join(folder, name), bytes, 0o644);
    const written = files.map(({ name, bytes }) => ({ file: path.join(folder, name), size: bytes.length }));
    const columns = [
      { title: 'FILE', value: (row: (typeof written)[number]) => row.file },
      { title: 'BYTES', value: (row: (typeof written)[number]) => row.size },
    ];
    io.out(options['json'] === true ? formatJson({ files: written }) : formatTable(written, columns, io));
  });
}
