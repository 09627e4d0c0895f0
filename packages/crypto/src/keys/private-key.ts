import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { HoldfastError } from '@holdfast/kernel';
import { decodePem, encodePem } from '@holdfast/wire/pem';
import { decodePrivateKeyInfo } from '@holdfast/wire/x509';
import { plainBytes } from '../primitives/bytes.ts';
import { importAnyPublicKey, type PublicKey } from './public-key.ts';

const generate = promisify(generateKeyPair);

export type KeyKind = 'P-256' | 'P-384' | 'ed25519' | 'x25519' | 'rsa-2048' | 'rsa-3072' | 'rsa-4096';

/** A private key in this process's memory. It is never printed: `toJSON` and the like see only the public half. */
export class PrivateKey {
  readonly #keyObject: KeyObject;
  readonly publicKey: PublicKey;

  constructor(keyObject: KeyObject) {
    this.#keyObject = keyObject;
    const spki = plainBytes(createPublicKey(keyObject).export({ format: 'der', type: 'spki' }));
    this.publicKey = importAnyPublicKey(spki);
  }

  /** For node:crypto and node:tls. */
  get keyObject(): KeyObject {
    return this.#keyObject;
  }

  /** PKCS #8 DER: a secret, to be sealed or handed over, never logged. */
  exportPkcs8(): Uint8Array<ArrayBuffer> {
    return plainBytes(this.#keyObject.export({ format: 'der', type: 'pkcs8' }));
  }

  exportPem(): string {
    return encodePem('PRIVATE KEY', this.exportPkcs8());
  }

  toJSON(): string {
    return '[private key]';
  }
}

/** A fresh key pair from the operating system's randomness, made on the thread pool. */
export async function generatePrivateKey(kind: KeyKind): Promise<PrivateKey> {
  return new PrivateKey((await generateFor(kind)).privateKey);
}

/** @throws `crypto.bad_key` for anything but one PKCS #8 private key; `crypto.weak_key` for one we refuse. */
export function importPrivateKey(pkcs8: Uint8Array): PrivateKey {
  try {
    decodePrivateKeyInfo(pkcs8);
    const der = pkcs8 as Buffer;
    const key = new PrivateKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    const { weakness, kind } = key.publicKey;
    if (weakness !== undefined && kind.kind !== 'x25519')
      throw new HoldfastError('crypto.weak_key', { reason: weakness });
    return key;
  } catch (cause) {
    if (HoldfastError.is(cause, 'crypto.weak_key')) throw cause;
    throw new HoldfastError('crypto.bad_key', {}, { cause });
  }
}

/** As `importPrivateKey` for a `PRIVATE KEY` PEM block. */
export function importPrivateKeyPem(pem: string | Uint8Array): PrivateKey {
  return importPrivateKey(decodePem(pem, 'PRIVATE KEY'));
}

function generateFor(kind: KeyKind): Promise<{ privateKey: KeyObject }> {
  if (kind === 'ed25519' || kind === 'x25519') return generate(kind as 'ed25519');
  if (kind === 'P-256' || kind === 'P-384') return generate('ec', { namedCurve: kind });
  return generate('rsa', { modulusLength: Number(kind.slice(4)), publicExponent: 65_537 });
}
