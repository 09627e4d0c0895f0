import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { HoldfastError } from '@holdfast/kernel';
import { writeWhole } from './files.ts';

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const GENERATE: Readonly<Record<string, () => KeyPair>> = {
  'ecdsa-p256': () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  'ecdsa-p384': () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  ed25519: () => generateKeyPairSync('ed25519'),
  'rsa-2048': () => generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 0x10001 }),
  'rsa-3072': () => generateKeyPairSync('rsa', { modulusLength: 3072, publicExponent: 0x10001 }),
  x25519: () => generateKeyPairSync('x25519'),
};

export const KEY_TYPES = Object.keys(GENERATE);

/** What a new key is called and where it lies. */
export interface NewKey {
  readonly type: string;
  readonly privateKey: string;
  readonly publicKey: string;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly fingerprint: string;
}

/**
 * Makes a key pair: the private half as PKCS#8 PEM readable by its owner alone, the public half beside it as `.pub`.
 *
 * @throws `cli.file_exists` when either file is there; `cli.file_unusable`, `boot.bad_option`
 */
export function generateKeyFiles(type: string, file: string, passphrase?: string): NewKey {
  const generate = Object.hasOwn(GENERATE, type) ? GENERATE[type] : undefined;
  if (generate === undefined)
    throw new HoldfastError('boot.bad_option', { option: 'type', allowed: KEY_TYPES.join(' ') });
  const publicFile = `${file}.pub`;
  for (const path of [file, publicFile]) if (existsSync(path)) throw new HoldfastError('cli.file_exists', { path });
  const { privateKey, publicKey } = generate();
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  writeWhole(file, privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }).toString(), {
    mode: 0o600,
    keep: true,
  });
  writeWhole(publicFile, publicKey.export({ type: 'spki', format: 'pem' }).toString(), { keep: true });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return {
    type,
    privateKey: file,
    publicKey: publicFile,
    fingerprint: createHash('sha256').update(spki).digest('hex'),
  };
}
