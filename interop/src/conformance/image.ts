// Judges image files for a third-party suite, one verdict a line, one process for thousands of files.
//
//   npm run conformance:image -- FORMAT PUBKEY < list of files
//
// accept<TAB>PATH, or reject<TAB>PATH<TAB>CODE. Exit 0 when every file got a verdict, 64 and more otherwise.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { HoldfastError, toHoldfastError } from '@holdfast/kernel';
import { type ImageFormatName, ImageVerifier, parseFormatName } from '@holdfast/trust/boot';
import { decodeIntelHex } from '@holdfast/wire/intel-hex';

const [formatName, keyFile] = process.argv.slice(2);

try {
  if (formatName === undefined || keyFile === undefined)
    throw new HoldfastError('request.invalid', { usage: 'FORMAT PUBKEY' });
  const verifier = new ImageVerifier(parseFormatName(formatName), [readSpki(keyFile)]);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== '') process.stdout.write(`${judgeFile(verifier, line)}\n`);
  }
} catch (error) {
  const { message, code, spec } = toHoldfastError(error);
  console.error(`conformance:image: ${message} [${code}] next: ${spec.next}`);
  process.exitCode = spec.exit;
}

function judgeFile(verifier: ImageVerifier<ImageFormatName>, path: string): string {
  try {
    const verdict = verifier.verify(readImage(path));
    return verdict.kind === 'accepted' ? `accept\t${path}` : `reject\t${path}\t${verdict.code}`;
  } catch (error) {
    return `reject\t${path}\t${toHoldfastError(error).code}`;
  }
}

function readImage(path: string): Uint8Array {
  const bytes = readWhole(path);
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
