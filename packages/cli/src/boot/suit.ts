import {
  createDigest,
  createSigner,
  mcubootClassId,
  mcubootVendorId,
  prepareSuitEnvelope,
  PrivateKey,
  publishedTestKey,
  verifySuitEnvelope,
} from '@holdfast/crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import type { SuitManifest } from '@holdfast/wire/suit';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { formatFacts, formatJson } from '../output/table.ts';
import { readBytes, withByteSource, writeWhole } from './files.ts';
import { readKeyFile, spkiOf } from './key-files.ts';
import { type Given, numberOf, optionalNumber, required, text } from './option-values.ts';
import { readPassphrase } from './passphrase.ts';

/** `holdfast boot suit` and `holdfast boot verify-suit`. */
export function registerSuit(noun: Command, io: CommandIo): void {
  noun
    .command('suit')
    .description('describe a signed image in a signed IETF SUIT envelope')
    .argument('<image>', 'signed image, as devices get it')
    .argument('<out>', 'envelope')
    .requiredOption('--key <file>', 'signing key: P-256, P-384 or Ed25519')
    .requiredOption('--vid <vendor>', 'vendor: a domain name or a UUID')
    .requiredOption('--cid <class>', 'class of the device: a name or a UUID')
    .requiredOption('--sequence <number>', 'number that only grows; devices take no lower one')
    .option('--uri <address>', 'where devices fetch the image')
    .option('--passphrase <reference>', 'of an encrypted key: env:NAME or file:PATH')
    .option('--development-test-keys', 'allow keys that vendors publish for tests; never for a product')
    .option('--json', 'one JSON document')
    .action(async (image: string, out: string, given: Given) => {
      const manifest = await manifestOf(image, given);
      const passphrase = readPassphrase(text(given, 'passphrase'), io.environment);
      writeWhole(out, await sealed(manifest, given, passphrase));
      report(manifest, given, io);
    });
  noun
    .command('verify-suit')
    .description('judge a SUIT envelope made here, and the image it describes')
    .argument('<envelope>', 'envelope')
    .argument('[image]', 'image that must be the one described')
    .requiredOption('--key <file>', 'key that must have signed, either half')
    .option('--min-sequence <number>', 'lowest sequence number taken')
    .option('--json', 'one JSON document')
    .action(async (file: string, image: string | undefined, given: Given) => {
      const key = spkiOf(readKeyFile(required(given, 'key', 'key')));
      const floor = optionalNumber(given, 'minSequence', 'min-sequence');
      const manifest = verifySuitEnvelope(readBytes(file), [key], floor);
      if (image !== undefined) await checkImage(manifest, image);
      report(manifest, given, io);
    });
}

async function manifestOf(image: string, given: Given): Promise<SuitManifest> {
  const vendorId = mcubootVendorId(required(given, 'vid', 'vid'));
  const uri = text(given, 'uri');
  return {
    sequence: numberOf(required(given, 'sequence', 'sequence'), 'sequence'),
    vendorId,
    classId: mcubootClassId(required(given, 'cid', 'cid'), vendorId),
    ...(await measure(image)),
    ...(uri === undefined ? {} : { uri }),
  };
}

/** Signs, and hands out only what our own verifier accepts. */
async function sealed(manifest: SuitManifest, given: Given, passphrase: string | undefined): Promise<Uint8Array> {
  const key = readKeyFile(required(given, 'key', 'key'), passphrase);
  if (key.type !== 'private') throw new HoldfastError('boot.private_key_needed');
  const spki = spkiOf(key);
  const testKey = publishedTestKey(spki);
  if (testKey !== undefined && given['developmentTestKeys'] !== true)
    throw new HoldfastError('boot.test_key', { name: testKey });
  const prepared = prepareSuitEnvelope(manifest, spki);
  const signature = await createSigner(new PrivateKey(key), prepared.algorithm).sign(prepared.message);
  const envelope = prepared.finish(signature);
  verifySuitEnvelope(envelope, [spki], manifest.sequence);
  return envelope;
}

const CHUNK = 1 << 20;

function measure(image: string): Promise<Pick<SuitManifest, 'imageDigest' | 'imageSize'>> {
  return withByteSource(image, async (source) => {
    const digest = createDigest('sha256');
    for (let offset = 0; offset < source.size; offset += CHUNK)
      digest.update(await source.read({ offset, length: Math.min(CHUNK, source.size - offset) }));
    return { imageDigest: digest.finish(), imageSize: source.size };
  });
}

async function checkImage({ imageDigest, imageSize }: SuitManifest, image: string): Promise<void> {
  const found = await measure(image);
  if (found.imageSize !== imageSize || encodeHex(found.imageDigest) !== encodeHex(imageDigest))
    throw new HoldfastError('boot.hash_mismatch', { field: 'image', size: found.imageSize });
}

function report(manifest: SuitManifest, given: Given, io: CommandIo): void {
  const facts = {
    sequence: manifest.sequence,
    vendorId: encodeHex(manifest.vendorId),
    classId: encodeHex(manifest.classId),
    digest: encodeHex(manifest.imageDigest),
    size: manifest.imageSize,
    uri: manifest.uri,
  };
  io.out(given['json'] === true ? formatJson(facts) : formatFacts(Object.entries(facts), io));
}
