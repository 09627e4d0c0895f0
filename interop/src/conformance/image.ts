// Judges image files for a third-party suite, one verdict a line, one process for thousands of files.
//
//   npm run conformance:image -- FORMAT PUBKEY < list of files
//
// PUBKEY may be a certificate: its key is trusted and, for rauc and swupdate, signers under it are.
//
// accept<TAB>PATH, or reject<TAB>PATH<TAB>CODE. Exit 0 when every file got a verdict, 64 and more otherwise.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ByteSource } from '@holdfast/crypto';
import { HoldfastError, toHoldfastError } from '@holdfast/kernel';
import { type ImageFormatName, ImageVerifier, parseFormatName } from '@holdfast/trust/boot';
import { decodeIntelHex } from '@holdfast/wire/intel-hex';
import { decodePemBlocks } from '@holdfast/wire/pem';
import { type Certificate, decodeCertificate } from '@holdfast/wire/x509';

/** Images of formats that are judged whole fit the memory of a device many times over. */
const MAX_WHOLE = 256 * 1024 * 1024;

const [formatName, keyFile] = process.argv.slice(2);

try {
  if (formatName === undefined || keyFile === undefined)
    throw new HoldfastError('request.invalid', { usage: 'FORMAT PUBKEY' });
  const verifier = new ImageVerifier(parseFormatName(formatName), [readSpki(keyFile)]);
  const policy = { anchors: readAnchors(keyFile) };
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== '') process.stdout.write(`${await judgeFile(verifier, policy, line)}\n`);
  }
} catch (error) {
  const { message, code, spec } = toHoldfastError(error);
  console.error(`conformance:image: ${message} [${code}] next: ${spec.next}`);
  process.exitCode = spec.exit;
}

interface Policy {
  readonly anchors: readonly Certificate[];
}

async function judgeFile(verifier: ImageVerifier<ImageFormatName>, policy: Policy, path: string): Promise<string> {
  try {
    const verdict = await withFile(path, async (file, size) =>
      verifier.streams
        ? await verifier.verifySource(sourceOf(file, size), policy)
        : verifier.verify(readImage(path, file, size), policy),
    );
    return verdict.kind === 'accepted' ? `accept\t${path}` : `reject\t${path}\t${verdict.code}`;
  } catch (error) {
    return `reject\t${path}\t${toHoldfastError(error).code}`;
  }
}

/** Only regular files: a device or a pipe may never end. @throws `request.not_found` */
async function withFile<T>(path: string, use: (file: number, size: number) => Promise<T>): Promise<T> {
  const file = openFile(path);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new HoldfastError('request.not_found', { reason: 'no regular file' });
    return await use(file, stat.size);
  } finally {
    closeSync(file);
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new HoldfastError('request.not_found', {}, { cause });
  }
}

function sourceOf(file: number, size: number): ByteSource {
  let room = new Uint8Array(0);
  return {
    size,
    read({ offset, length }) {
      if (room.length < length) room = new Uint8Array(length);
      return Promise.resolve(room.subarray(0, readSync(file, room, 0, length, offset)));
    },
  };
}

function readImage(path: string, file: number, size: number): Uint8Array {
  if (size > MAX_WHOLE) throw new HoldfastError('wire.too_large', { field: 'image', size, limit: MAX_WHOLE });
  const bytes = readFileSync(file);
  return path.toLowerCase().endsWith('.hex') ? decodeIntelHex(bytes).bytes : bytes;
}

function readWhole(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new HoldfastError('request.not_found', {}, { cause });
  }
}

function readSpki(path: string): Uint8Array {
  return Uint8Array.from(readKey(Buffer.from(readWhole(path))).export({ type: 'spki', format: 'der' }));
}

/** The certificate that the file of the key holds, if it holds one. */
function readAnchors(path: string): Certificate[] {
  const text = new TextDecoder('latin1').decode(readWhole(path));
  if (!text.includes('BEGIN CERTIFICATE')) return [];
  return decodePemBlocks(text)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ bytes }) => decodeCertificate(bytes));
}

/** Suites hand over either half, as PEM or as SubjectPublicKeyInfo. */
function readKey(key: Buffer): KeyObject {
  const attempts = [
    () => createPublicKey({ key, format: 'pem' }),
    () => createPublicKey({ key, format: 'der', type: 'spki' }),
    () => createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' })),
  ];
  for (const attempt of attempts) {
    try {
      return attempt();
    } catch {
      continue;
    }
  }
  throw new HoldfastError('crypto.bad_key');
}
