import { HoldfastError } from '@holdfast/kernel';
import {
  type AcceptedSource,
  IMAGE_FORMAT_NAMES,
  type ImageVerdict,
  ImageVerifier,
  parseFormatName,
  type SourceVerdict,
} from '@holdfast/trust/boot';
import type { Command } from 'commander';
import { AnswerIsNo, describeFailure } from '../output/failure.ts';
import type { CommandIo } from '../output/io.ts';
import { formatFacts, formatJson, formatTable } from '../output/table.ts';
import { ENCRYPT_FORMATS, encryptFile } from './encrypt.ts';
import { EXPORT_FORMS, exportPublicKey } from './export-key.ts';
import { readImageFile, withByteSource, writeWhole } from './files.ts';
import { addFormatOptions, commandLineOf } from './format-options.ts';
import { inspectBytes } from './inspect.ts';
import { readKeyFile, readPublicKeyFile, spkiOf } from './key-files.ts';
import { generateKeyFiles, KEY_TYPES } from './keygen.ts';
import { collect, type Given, many, required, text } from './option-values.ts';
import { readPassphrase } from './passphrase.ts';
import { registerRehearse } from './rehearse.ts';
import { signFile, type SignOutcome } from './sign.ts';
import { registerSuit } from './suit.ts';

const FORMATS = IMAGE_FORMAT_NAMES.join(', ');
const PASSPHRASE = 'of an encrypted key: env:NAME or file:PATH';
const RED = (words: string, io: CommandIo): string => (io.colour ? `\u001b[31m${words}\u001b[0m` : words);

/** `holdfast boot …`: everything here works offline, on files. */
export function registerBoot(noun: Command, io: CommandIo): void {
  registerKeygen(noun, io);
  registerExportKey(noun, io);
  registerSign(noun, io);
  registerEncrypt(noun, io);
  registerVerify(noun, io);
  registerInspect(noun, io);
  registerRehearse(noun, io);
  registerSuit(noun, io);
}

function registerKeygen(noun: Command, io: CommandIo): void {
  noun
    .command('keygen')
    .description('make a signing key; the public half is written beside it as OUT.pub')
    .argument('<out>', 'file for the private key; never overwritten')
    .requiredOption('--type <type>', KEY_TYPES.join(', '))
    .option('--passphrase <reference>', `encrypt the private key: env:NAME or file:PATH`)
    .option('--json', 'one JSON document')
    .action((out: string, given: Given) => {
      const passphrase = readPassphrase(text(given, 'passphrase'), io.environment);
      const key = generateKeyFiles(required(given, 'type', 'type'), out, passphrase);
      const facts = [
        ['type', key.type],
        ['private key', key.privateKey],
        ['public key', key.publicKey],
        ['fingerprint', key.fingerprint],
      ] as const;
      io.out(given['json'] === true ? formatJson(key) : formatFacts(facts, io));
    });
}

function registerExportKey(noun: Command, io: CommandIo): void {
  noun
    .command('export-key')
    .description('write a public key as a build of the boot code takes it in')
    .argument('<key>', 'key file, either half')
    .argument('[out]', 'output file; standard output otherwise')
    .option('--form <form>', EXPORT_FORMS.join(', '), 'c')
    .option('--name-suffix <suffix>', 'appended to the names in C and Rust')
    .option('--passphrase <reference>', PASSPHRASE)
    .action((file: string, out: string | undefined, given: Given) => {
      const key = readPublicKeyFile(file, readPassphrase(text(given, 'passphrase'), io.environment));
      const content = exportPublicKey(key, required(given, 'form', 'form'), text(given, 'nameSuffix'));
      if (out !== undefined) writeWhole(out, content);
      else if (typeof content === 'string') io.out(content);
      else throw new HoldfastError('boot.bad_option', { option: 'OUT', reason: 'needed for raw bytes' });
    });
}

function registerSign(noun: Command, io: CommandIo): void {
  const command = noun
    .command('sign')
    .description('sign an image; nothing is written that our own verifier would refuse')
    .argument('<in>', 'payload: raw binary, Intel HEX by its name, or a linked program (ELF)')
    .argument('[out]', 'signed image; Intel HEX when its name ends so')
    .requiredOption('--format <format>', FORMATS)
    .requiredOption(
      '--key <file>',
      'signing key, PEM or DER; its public half is enough for --to-be-signed and --signature',
    )
    .option('--passphrase <reference>', PASSPHRASE)
    .option('--to-be-signed <file>', 'write what an offline key must sign, and stop')
    .option('--signature <file>', 'use this signature: its bytes, or base64')
    .option('--hex-addr <address>', 'address of an Intel HEX output')
    .option('--development-test-keys', 'allow keys that vendors publish for tests; never for a product')
    .option('--json', 'one JSON document');
  addFormatOptions(command, 'signOptions').action(async (input: string, output: string | undefined, given: Given) => {
    const format = parseFormatName(required(given, 'format', 'format'));
    const passphrase = readPassphrase(text(given, 'passphrase'), io.environment);
    reportSigned(await signFile(format, { input, output }, given, passphrase), given, io);
  });
}

function registerEncrypt(noun: Command, io: CommandIo): void {
  const command = noun
    .command('encrypt')
    .description(
      'encrypt for a device: flash or NVS of ESP32 chips, or an MCUboot image, which is signed in the same act',
    )
    .argument('<in>', 'plain bytes: raw binary, Intel HEX by its name, or a linked program (ELF)')
    .argument('<out>', 'encrypted file')
    .requiredOption('--format <format>', ENCRYPT_FORMATS.join(', '))
    .requiredOption(
      '--key <file>',
      'mcuboot: signing key; esp32-flash: the key of the eFuses; esp32-nvs: the NVS key partition',
    )
    .option('--address <address>', 'esp32-flash: flash address of the first byte')
    .option('--scheme <scheme>', 'esp32-flash: xts (default), or esp32 for the first chip')
    .option('--flash-crypt-conf <value>', 'esp32-flash: FLASH_CRYPT_CONFIG of the first chip (15)')
    .option('--decrypt', 'esp32-flash, esp32-nvs: the reverse')
    .option('--passphrase <reference>', PASSPHRASE)
    .option('--development-test-keys', 'allow keys that vendors publish for tests; never for a product')
    .option('--json', 'one JSON document');
  addFormatOptions(command, 'signOptions').action(async (input: string, output: string, given: Given) => {
    const passphrase = readPassphrase(text(given, 'passphrase'), io.environment);
    const format = required(given, 'format', 'format');
    const outcome = await encryptFile(format, { paths: { input, output }, given, passphrase });
    if (outcome.kind !== 'encrypted') return reportSigned(outcome, given, io);
    const facts = [
      ['file', outcome.file],
      ['size', outcome.size],
    ] as const;
    return io.out(given['json'] === true ? formatJson(outcome) : formatFacts(facts, io));
  });
}

function reportSigned(outcome: SignOutcome, given: Given, io: CommandIo): void {
  if (outcome.kind === 'to-be-signed') {
    const facts = [
      ['to be signed', outcome.file],
      ['algorithm', outcome.algorithm],
      ['size', outcome.size],
    ] as const;
    io.out(given['json'] === true ? formatJson(outcome) : formatFacts(facts, io));
    return;
  }
  const { payload: _payload, bytes, ...proof } = outcome.proof;
  const document = { file: outcome.file, ...proof };
  io.out(
    given['json'] === true
      ? formatJson(document)
      : formatFacts([['image', outcome.file], ...proofFacts({ ...proof, size: bytes.length })], io),
  );
  warnOfTestKey(outcome.proof, io);
}

function registerVerify(noun: Command, io: CommandIo): void {
  const command = noun
    .command('verify')
    .description('judge an image as strictly as boot code and vendor tool together; exit 1 when it is refused')
    .argument('<file>', 'image, raw or Intel HEX')
    .requiredOption('--format <format>', FORMATS)
    .requiredOption('--key <file>', 'trusted public key; may be given several times', collect)
    .option('--min-counter <counter>', 'floor of the security counter')
    .option('--passphrase <reference>', PASSPHRASE)
    .option('--json', 'one JSON document');
  addFormatOptions(command, 'verifyOptions').action(async (file: string, given: Given) => {
    const format = parseFormatName(required(given, 'format', 'format'));
    const passphrase = readPassphrase(text(given, 'passphrase'), io.environment);
    const keys = many(given, 'key').map((key) => spkiOf(readKeyFile(key, passphrase)));
    const policy = commandLineOf(format).readPolicy(given, passphrase);
    const verifier = new ImageVerifier(format, keys);
    const verdict = verifier.streams
      ? await withByteSource(file, (source) => verifier.verifySource(source, policy))
      : withSize(verifier.verify(readImageFile(file).bytes, policy));
    reportVerdict(verdict, given, io);
  });
}

function withSize(verdict: ImageVerdict): SourceVerdict {
  if (verdict.kind === 'refused') return verdict;
  const { payload: _payload, bytes, ...rest } = verdict;
  return { ...rest, size: bytes.length };
}

function reportVerdict(verdict: SourceVerdict, given: Given, io: CommandIo): void {
  if (verdict.kind === 'accepted') {
    const { size: _size, ...document } = verdict;
    io.out(
      given['json'] === true
        ? formatJson(document)
        : formatFacts([['verdict', 'accepted'], ...proofFacts(verdict)], io),
    );
    warnOfTestKey(verdict, io);
    return;
  }
  const { code, reason, details } = verdict;
  io.out(
    given['json'] === true
      ? formatJson(verdict)
      : formatFacts(
          [
            ['verdict', 'refused'],
            ['code', code],
            ['reason', reason],
          ],
          io,
        ),
  );
  io.err(`${describeFailure(new HoldfastError(code, details)).line}\n`);
  throw new AnswerIsNo();
}

function proofFacts({ version, securityCounter, digest, keyId, size }: AcceptedSource) {
  return [
    ['version', version],
    ['security counter', securityCounter],
    ['digest', digest],
    ['key', keyId],
    ['size', size],
  ] as const;
}

function warnOfTestKey({ testKey }: Pick<AcceptedSource, 'testKey'>, io: CommandIo): void {
  if (testKey !== undefined) io.err(`${RED(`published test key: ${testKey}; anyone can sign with it`, io)}\n`);
}

function registerInspect(noun: Command, io: CommandIo): void {
  noun
    .command('inspect')
    .description('show what an image says about itself; nothing of it is proven')
    .argument('<file>', 'image, raw or Intel HEX')
    .option('--format <format>', `${FORMATS}; by how the file begins otherwise`)
    .option('--json', 'one JSON document')
    .action((file: string, given: Given) => {
      const format = text(given, 'format');
      const inspection = inspectBytes(
        readImageFile(file).bytes,
        format === undefined ? undefined : parseFormatName(format),
      );
      if (given['json'] === true) return io.out(formatJson(inspection));
      const rows = [{ part: 'file', name: 'format', value: inspection.format }, ...inspection.facts];
      return io.out(
        formatTable(
          rows,
          [
            { title: 'PART', value: (row) => row.part },
            { title: 'NAME', value: (row) => row.name },
            { title: 'VALUE', value: (row) => row.value },
          ],
          io,
        ),
      );
    });
}
