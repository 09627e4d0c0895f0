import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject, X509Certificate } from 'node:crypto';
import { decodeBase64, HoldfastError } from '@holdfast/kernel';
import { readBytes } from './files.ts';

type DerType = 'pkcs8' | 'sec1' | 'pkcs1';

const PRIVATE_DER: readonly DerType[] = ['pkcs8', 'sec1', 'pkcs1'];
const PUBLIC_DER = ['spki', 'pkcs1'] as const;
const PEM_START = '-----BEGIN';

/**
 * Reads a private or public key: PEM or DER, PKCS#8, SEC1, PKCS#1, SubjectPublicKeyInfo, or a certificate's.
 *
 * @throws `cli.file_unusable`, `boot.bad_key_file`
 */
export function readKeyFile(file: string, passphrase?: string): KeyObject {
  const bytes = readBytes(file);
  const attempts = looksLikePem(bytes) ? pemAttempts(bytes, passphrase) : derAttempts(bytes, passphrase);
  for (const attempt of attempts) {
    const key = quietly(attempt);
    if (key !== undefined) return key;
  }
  throw new HoldfastError('boot.bad_key_file', { path: file });
}

/** @throws `boot.private_key_needed` when the file holds a public key; as {@link readKeyFile} */
function readPrivateKeyFile(file: string, passphrase?: string): KeyObject {
  const key = readKeyFile(file, passphrase);
  if (key.type !== 'private') throw new HoldfastError('boot.private_key_needed', { path: file });
  return key;
}

/** SubjectPublicKeyInfo of a key or of its public half. */
export function spkiOf(key: KeyObject): Uint8Array {
  return Uint8Array.from((key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' }));
}

/** The public key of a file that holds either half. */
export function readPublicKeyFile(file: string, passphrase?: string): KeyObject {
  const key = readKeyFile(file, passphrase);
  return key.type === 'private' ? createPublicKey(key) : key;
}

/**
 * Reads the key an image is encrypted for: a public key, or an AES key-encryption key of 16 or 32 bytes, raw or base64.
 */
export function readEncryptionKeyFile(file: string): KeyObject {
  return readWrappingKey(file) ?? readPublicKeyFile(file);
}

/** Reads the key that decrypts an image: a private key or the AES key-encryption key. */
export function readDecryptionKeyFile(file: string, passphrase?: string): KeyObject {
  return readWrappingKey(file) ?? readPrivateKeyFile(file, passphrase);
}

function readWrappingKey(file: string): KeyObject | undefined {
  const bytes = readBytes(file);
  const isKey = (candidate: Uint8Array | undefined): boolean => candidate?.length === 16 || candidate?.length === 32;
  const text = quietly(() => decodeBase64(new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim()));
  const key = isKey(text) ? text : isKey(bytes) ? bytes : undefined;
  return key === undefined ? undefined : createSecretKey(key);
}

function looksLikePem(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes).includes(PEM_START);
}

function pemAttempts(bytes: Uint8Array, passphrase: string | undefined): (() => KeyObject)[] {
  const key = Buffer.from(bytes);
  return [
    () => createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) }),
    () => createPublicKey({ key, format: 'pem' }),
  ];
}

function derAttempts(bytes: Uint8Array, passphrase: string | undefined): (() => KeyObject)[] {
  const key = Buffer.from(bytes);
  const secret = passphrase === undefined ? {} : { passphrase };
  return [
    ...PRIVATE_DER.map((type) => () => createPrivateKey({ key, format: 'der', type, ...secret })),
    ...PUBLIC_DER.map((type) => () => createPublicKey({ key, format: 'der', type })),
    () => new X509Certificate(key).publicKey,
  ];
}

function quietly<T>(attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch {
    // Another form is tried next; which parser failed how says nothing about the file.
    return undefined;
  }
}
