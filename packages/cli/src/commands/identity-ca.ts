import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  createSigner,
  exportEncryptedPem,
  fingerprint,
  generatePrivateKey,
  importEncryptedPem,
  type Signer,
  sha256,
} from '@holdfast/crypto';
import { encodeHex, equalBytes, HoldfastError, systemClock, systemRandom } from '@holdfast/kernel';
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
import { addTokenOptions, keepsReference, REFERENCE_FILE, withRootKey } from './offline-root.ts';
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
  const command = noun
    .command('ceremony')
    .description('make a root that no server has; run it on a machine without a network')
    .requiredOption('--out <folder>', `writes ${KEY_FILE} (encrypted) and ${CERTIFICATE_FILE} into it`)
    .option('--passphrase <reference>', 'file:PATH or env:NAME; asked on a terminal otherwise')
    .option('--root-key <reference>', 'P-256 key in a token or service instead: pkcs11:… or kms:…')
    .option('--organization <name>', 'organization in its name', 'Holdfast')
    .option('--name <name>', 'its common name (default: Offline Root CA and the start of its key)')
    .option('--json', 'one JSON document');
  addTokenOptions(command).action((options: GivenOptions) => holdCeremony(options, io));
}

async function holdCeremony(options: GivenOptions, io: CommandIo): Promise<void> {
  const folder = String(options['out']);
  const rootKey = options['rootKey'];
  const [keyFile, certificateFile, referenceFile] = [KEY_FILE, CERTIFICATE_FILE, REFERENCE_FILE].map((name) =>
    path.join(folder, name),
  );
  const taken = [keyFile, certificateFile, referenceFile].find((file = '') => existsSync(file));
  if (taken !== undefined) throw new HoldfastError('cli.file_exists', { path: taken });
  const keep = async (signer: Signer, file: string, content: string, words: string): Promise<void> => {
    const der = await newRoot(signer, options);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeNewFile(file, content, 0o600);
    writeNewFile(certificateFile ?? '', encodePem('CERTIFICATE', der), 0o644);
    io.err(`wrote ${file} and ${certificateFile}; ${words}\n`);
    print(options, io, [
      ['root', nameText(decodeCertificate(der).subject)],
      ['root fingerprint', fingerprint(der)],
    ]);
  };
  if (typeof rootKey === 'string') {
    const words = 'whoever has the token and its PIN has the root';
    return withRootKey(rootKey, { options, io }, (signer) => keep(signer, referenceFile ?? '', `${rootKey}\n`, words));
  }
  const passphrase = await newPassphrase(options, io);
  const key = await generatePrivateKey('P-256');
  const pem = await exportEncryptedPem(key, passphrase, systemRandom);
  return keep(createSigner(key), keyFile ?? '', pem, 'keep a copy of both, apart from the passphrase');
}

function newRoot(signer: Signer, options: GivenOptions): Promise<Uint8Array> {
  const keyFingerprint = encodeHex(sha256(signer.publicKeySpki));
  const { organization, name } = options;
  const commonName = typeof name === 'string' ? name : `Offline Root CA ${keyFingerprint.slice(0, 8)}`;
  return makeRoot(PORTS, { organization: String(organization), commonName }, signer);
}

function registerSign(noun: Command, io: CommandIo): void {
  const command = noun
    .command('sign')
    .description('certify the issuing key of a server by an offline root')
    .argument('<request>')
    .argument('<out>')
    .requiredOption('--root <folder>', `folder with ${CERTIFICATE_FILE} and ${KEY_FILE} or ${REFERENCE_FILE}`)
    .option('--passphrase <reference>', 'file:PATH or env:NAME; asked on a terminal otherwise')
    .option('--json', 'one JSON document');
  addTokenOptions(command).action(async (file: string, out: string, options: GivenOptions) => {
    const request = readRequest(readText(file));
    const chain = await withRoot(String(options['root']), { options, io }, (root) =>
      signAuthority(PORTS, root, request),
    );
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

async function withRoot<Result>(
  folder: string,
  given: { readonly options: GivenOptions; readonly io: CommandIo },
  work: (root: OfflineRoot) => Promise<Result>,
): Promise<Result> {
  const { options, io } = given;
  const certificate = decodeCertificate(decodePem(readText(path.join(folder, CERTIFICATE_FILE)), 'CERTIFICATE'));
  if (keepsReference(folder)) {
    const reference = readText(path.join(folder, REFERENCE_FILE)).trim();
    return withRootKey(reference, given, (signer) => {
      if (equalBytes(signer.publicKeySpki, certificate.spki.raw)) return work({ certificate, signer });
      throw new HoldfastError('identity.ceremony_mismatch', { field: 'root key' });
    });
  }
  const pem = readText(path.join(folder, KEY_FILE));
  const passphrase = givenPassphrase(options, io) ?? (await askSecret('passphrase of the root key: ', io));
  return work({ certificate, signer: createSigner(importEncryptedPem(pem, passphrase)) });
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
