import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  createSigner,
  exportEncryptedPem,
  fingerprint,
  generatePrivateKey,
  importEncryptedPem,
  sha256,
} from '@holdfast/crypto';
import { encodeHex, HoldfastError, systemClock, systemRandom } from '@holdfast/kernel';
import { makeRoot, type OfflineRoot, readRequest, signAuthority, writeChain } from '@holdfast/trust/identity';
import { decodePem, encodePem } from '@holdfast/wire/pem';
import { decodeCertificate, decodeCertificationRequest, nameText } from '@holdfast/wire/x509';
import { type Authority, type AuthorityCertificate, DestroyRootKey, InstallAuthority } from '@holdfast/api';
import type { Command } from 'commander';
import { readPassphrase } from '../boot/passphrase.ts';
import type { CommandIo } from '../output/io.ts';
import { writeNewFile } from '../output/new-file.ts';
import { askSecret } from '../output/secret-prompt.ts';
import { type Column, formatFacts, formatJson, formatTable } from '../output/table.ts';
import { addConnectionOptions, addVerb, bodyOf, clientFrom, type GivenOptions } from './verb.ts';

const KEY_FILE = 'root.key';
const CERTIFICATE_FILE = 'root.crt';
const MIN_PASSPHRASE = 12;
const PORTS = { clock: systemClock, random: systemRandom };

const COLUMNS: readonly Column<AuthorityCertificate>[] = [
  { title: 'ROLE', value: (row) => row.role },
  { title: 'SUBJECT', value: (row) => row.subject },
  { title: 'ISSUER', value: (row) => row.issuer },
  { title: 'UNTIL', value: (row) => row.notAfter },
  { title: 'SHA-256', value: (row) => row.fingerprint },
];

function authorityTable(authority: Authority, io: CommandIo): string {
  io.err(authority.rootKeyOnline ? 'root key online\n' : 'root key offline\n');
  return formatTable(authority.certificates, COLUMNS, io);
}

/** Lower-case hex, or the form with colons that people read to each other. */
function hexFingerprint(text: string): string {
  return text.replaceAll(':', '').toLowerCase();
}

export function registerAuthority(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'show',
    words: 'the certificates of the authorities, and whether the root key is here',
    operation: 'authority.show',
    input: () => ({}),
    print: (authority) => authorityTable(authority, io),
  });
  registerRequest(noun, io);
  registerCeremony(noun, io);
  registerSign(noun, io);
  registerInstall(noun, io);
  addVerb(noun, io, {
    name: 'destroy-root-key',
    words: 'erase the key of a root that a ceremony replaced; it cannot be undone',
    operation: 'authority.destroy-root-key',
    operands: ['<fingerprint>'],
    input: ([text = '']) => ({ body: bodyOf(DestroyRootKey, { rootFingerprint: hexFingerprint(text) }) }),
    print: (authority) => authorityTable(authority, io),
  });
}

function registerRequest(noun: Command, io: CommandIo): void {
  const command = noun
    .command('request')
    .description('write what a ceremony has to sign')
    .argument('<file>')
    .option('--json', 'one JSON document');
  addConnectionOptions(command).action(async (file: string, options: GivenOptions) => {
    const { pem, ...facts } = await clientFrom(options, io).call('authority.request', {});
    writeNewFile(file, pem, 0o644);
    io.err(`wrote ${file}; compare its key where it is signed\n`);
    print(options, io, [
      ['request key', facts.keyFingerprint],
      ['root in force', facts.rootFingerprint],
    ]);
  });
}

function registerCeremony(noun: Command, io: CommandIo): void {
  noun
    .command('ceremony')
    .description('make a root that no server has; run it on a machine without a network')
    .requiredOption('--out <folder>', `writes ${KEY_FILE} (encrypted) and ${CERTIFICATE_FILE} into it`)
    .option('--passphrase <reference>', 'file:PATH or env:NAME; asked on a terminal otherwise')
    .option('--organization <name>', 'organization in its name', 'Holdfast')
    .option('--name <name>', 'its common name (default: Offline Root CA and the start of its key)')
    .option('--json', 'one JSON document')
    .action(async (options: GivenOptions) => {
      const folder = String(options['out']);
      const files = [KEY_FILE, CERTIFICATE_FILE].map((name) => path.join(folder, name));
      const taken = files.find((file) => existsSync(file));
      if (taken !== undefined) throw new HoldfastError('cli.file_exists', { path: taken });
      const passphrase = await newPassphrase(options, io);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const key = await generatePrivateKey('P-256');
      const keyFingerprint = encodeHex(sha256(key.publicKey.spki));
      const commonName =
        typeof options['name'] === 'string' ? options['name'] : `Offline Root CA ${keyFingerprint.slice(0, 8)}`;
      const der = await makeRoot(
        PORTS,
        { organization: String(options['organization']), commonName },
        createSigner(key),
      );
      writeNewFile(files[0] ?? '', await exportEncryptedPem(key, passphrase, systemRandom), 0o600);
      writeNewFile(files[1] ?? '', encodePem('CERTIFICATE', der), 0o644);
      io.err(`wrote ${files.join(' and ')}; keep a copy of both, apart from the passphrase\n`);
      print(options, io, [
        ['root', nameText(decodeCertificate(der).subject)],
        ['root fingerprint', fingerprint(der)],
      ]);
    });
}

function registerSign(noun: Command, io: CommandIo): void {
  noun
    .command('sign')
    .description('certify the issuing key of a server by an offline root')
    .argument('<request>')
    .argument('<out>')
    .requiredOption('--root <folder>', `folder with ${KEY_FILE} and ${CERTIFICATE_FILE}`)
    .option('--passphrase <reference>', 'file:PATH or env:NAME; asked on a terminal otherwise')
    .option('--json', 'one JSON document')
    .action(async (file: string, out: string, options: GivenOptions) => {
      const request = readRequest(readText(file));
      const root = await openRoot(String(options['root']), options, io);
      const chain = await signAuthority(PORTS, root, request);
      writeNewFile(out, writeChain(chain), 0o644);
      io.err(`wrote ${out}; install it only if the request key is the one the server printed\n`);
      print(options, io, [
        ['request key', encodeHex(sha256(decodeCertificationRequest(request.csrDer).spki.raw))],
        ['root fingerprint', fingerprint(chain.rootDer)],
        ['former root', fingerprint(request.formerRootDer)],
      ]);
    });
}

function registerInstall(noun: Command, io: CommandIo): void {
  const command = noun
    .command('install')
    .description('take in what a ceremony signed; devices keep their certificates')
    .argument('<file>')
    .requiredOption('--root-fingerprint <sha256>', 'as it was read where the ceremony was held')
    .option('--json', 'one JSON document');
  addConnectionOptions(command).action(async (file: string, options: GivenOptions) => {
    const rootFingerprint = hexFingerprint(String(options['rootFingerprint']));
    const body = bodyOf(InstallAuthority, { pem: readText(file), rootFingerprint });
    const authority = await clientFrom(options, io).call('authority.install', { body });
    io.out(options['json'] === true ? formatJson(authority) : authorityTable(authority, io));
  });
}

async function openRoot(folder: string, options: GivenOptions, io: CommandIo): Promise<OfflineRoot> {
  const pem = readText(path.join(folder, KEY_FILE));
  const certificate = decodeCertificate(decodePem(readText(path.join(folder, CERTIFICATE_FILE)), 'CERTIFICATE'));
  const passphrase = givenPassphrase(options, io) ?? (await askSecret('passphrase of the root key: ', io));
  return { certificate, signer: createSigner(importEncryptedPem(pem, passphrase)) };
}

async function newPassphrase(options: GivenOptions, io: CommandIo): Promise<string> {
  const given = givenPassphrase(options, io);
  const passphrase = given ?? (await askSecret(`passphrase of the root key, ${MIN_PASSPHRASE} or more: `, io));
  if (passphrase.length < MIN_PASSPHRASE) {
    throw new HoldfastError('request.invalid', { field: 'passphrase', minimum: MIN_PASSPHRASE });
  }
  if (given === undefined && (await askSecret('again: ', io)) !== passphrase) {
    throw new HoldfastError('request.invalid', { field: 'passphrase', reason: 'the two differ' });
  }
  return passphrase;
}

function givenPassphrase(options: GivenOptions, io: CommandIo): string | undefined {
  const reference = options['passphrase'];
  return readPassphrase(typeof reference === 'string' ? reference : undefined, io.environment);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}

function print(options: GivenOptions, io: CommandIo, facts: readonly (readonly [string, string])[]): void {
  const document = () => Object.fromEntries(facts.map(([name, value]) => [camelCase(name), value]));
  io.out(options['json'] === true ? formatJson(document()) : formatFacts(facts, io));
}

function camelCase(words: string): string {
  return words.replace(/ (\w)/g, (_, first: string) => first.toUpperCase());
}
