import { describe, expect, it } from 'vitest';
import { concatBytes, encodeHex } from '@holdfast/kernel';
import { encodeRsaSpki } from '@holdfast/wire/x509';
import {
  createSigner,
  decryptOaep,
  ecdsaFromDer,
  ecdsaToDer,
  encryptOaep,
  generatePrivateKey,
  importAnyPublicKey,
  importPrivateKey,
  importPrivateKeyPem,
  importPublicKey,
  type KeyKind,
  type SignatureAlgorithm,
  verifySignature,
} from '../index.ts';

const coded = (code: string) => expect.objectContaining({ code });
const MESSAGE = new TextEncoder().encode('message');

describe('signers', () => {
  it.each<[KeyKind, SignatureAlgorithm]>([
    ['P-256', 'ecdsa-p256-sha256'],
    ['P-384', 'ecdsa-p384-sha384'],
    ['ed25519', 'ed25519'],
    ['rsa-2048', 'rsa-pkcs1-sha256'],
    ['rsa-2048', 'rsa-pss-sha256'],
  ])('%s signs by %s; another message, key, algorithm or a flipped bit does not verify', async (kind, algorithm) => {
    const key = await generatePrivateKey(kind);
    const signer = createSigner(key, algorithm);
    const signature = await signer.sign(MESSAGE);
    expect(verifySignature(algorithm, key.publicKey, MESSAGE, signature)).toBe(true);
    expect(verifySignature(algorithm, signer.publicKeySpki, MESSAGE, signature)).toBe(true);
    expect(verifySignature(algorithm, key.publicKey, MESSAGE.subarray(1), signature)).toBe(false);
    const flipped = Uint8Array.from(signature);
    flipped[flipped.length - 1] = (flipped[flipped.length - 1] ?? 0) ^ 1;
    expect(verifySignature(algorithm, key.publicKey, MESSAGE, flipped)).toBe(false);
    expect(verifySignature(algorithm, key.publicKey, MESSAGE, concatBytes(signature, Uint8Array.of(0)))).toBe(false);
    expect(verifySignature(algorithm, key.publicKey, MESSAGE, new Uint8Array(0))).toBe(false);
  });

  it('refuse an algorithm that is not of their key', async () => {
    const key = await generatePrivateKey('P-256');
    for (const algorithm of ['ecdsa-p384-sha384', 'ed25519', 'rsa-pkcs1-sha256'] as const) {
      expect(() => createSigner(key, algorithm)).toThrowError(coded('crypto.unsupported_algorithm'));
      expect(() => verifySignature(algorithm, key.publicKey, MESSAGE, new Uint8Array(64))).toThrowError(
        coded('crypto.unsupported_algorithm'),
      );
    }
  });

  it('change between the two forms of ECDSA', async () => {
    const key = await generatePrivateKey('P-256');
    const der = await createSigner(key).sign(MESSAGE);
    const flat = ecdsaFromDer(der, 32);
    expect(flat.length).toBe(64);
    expect(ecdsaToDer(flat)).toEqual(der);
    expect(verifySignature('ecdsa-p256-sha256', key.publicKey, MESSAGE, flat, 'ieee-p1363')).toBe(true);
    expect(verifySignature('ecdsa-p256-sha256', key.publicKey, MESSAGE, flat)).toBe(false);
    expect(() => ecdsaFromDer(der, 20)).toThrowError(coded('wire.malformed'));
  });
});

describe('private keys', () => {
  it('come back from PKCS #8 and PEM, and do not show themselves', async () => {
    const key = await generatePrivateKey('P-256');
    expect(importPrivateKey(key.exportPkcs8()).publicKey.spki).toEqual(key.publicKey.spki);
    expect(importPrivateKeyPem(key.exportPem()).publicKey.spki).toEqual(key.publicKey.spki);
    expect(JSON.stringify({ key })).toBe('{"key":"[private key]"}');
  });

  it('are refused when cut at any length or changed into something else', async () => {
    const pkcs8 = (await generatePrivateKey('P-256')).exportPkcs8();
    for (let length = 0; length < pkcs8.length; length++) {
      expect(() => importPrivateKey(pkcs8.subarray(0, length))).toThrowError(coded('crypto.bad_key'));
    }
    expect(() => importPrivateKey(concatBytes(pkcs8, Uint8Array.of(0)))).toThrowError(coded('crypto.bad_key'));
  });
});

describe('weak keys', () => {
  const odd = (bits: number) => {
    const modulus = new Uint8Array(bits / 8).fill(0xff);
    return modulus;
  };
  const exponent = Uint8Array.of(1, 0, 1);
  // The product of all residues' generator: a number that is 1 modulo every prime the fingerprint looks at.
  const roca = () => {
    let product = 1n;
    for (const prime of [
      3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
      113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ]) {
      product *= BigInt(prime);
    }
    let modulus = (((1n << 2047n) / product + 1n) * product + 1n) | 0n;
    const primes = Array.from({ length: 740 }, (_, n) => BigInt(n + 11));
    while (modulus % 2n === 0n || primes.some((p) => modulus % p === 0n)) modulus += product;
    const hex = modulus.toString(16);
    return Uint8Array.from(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
  };

  it.each([
    ['rsa-size', odd(1024), exponent],
    ['rsa-size', odd(16_384), exponent],
    ['rsa-exponent', odd(2048), Uint8Array.of(3)],
    ['rsa-exponent', odd(2048), Uint8Array.of(1, 0, 0)],
    ['rsa-factor', odd(2048), exponent],
    ['roca', roca(), exponent],
  ])('%s is named and refused', (reason, modulus, exponent) => {
    const spki = encodeRsaSpki({ modulus, exponent });
    expect(importAnyPublicKey(spki).weakness).toBe(reason);
    expect(() => importPublicKey(spki)).toThrowError(
      expect.objectContaining({ code: 'crypto.weak_key', details: { reason } }),
    );
  });

  it('of a curve outside the list are named by kind', async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    const spki = Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }));
    expect(importAnyPublicKey(spki).weakness).toBe('kind');
  });

  it('are not what we make', async () => {
    for (const kind of ['P-256', 'P-384', 'ed25519', 'rsa-2048'] as const) {
      expect((await generatePrivateKey(kind)).publicKey.weakness).toBeUndefined();
    }
  });
});

describe('OAEP', () => {
  it('opens with the same label alone', async () => {
    const key = await generatePrivateKey('rsa-2048');
    const label = new TextEncoder().encode('IDENTITY\0');
    const sealed = encryptOaep(key.publicKey, MESSAGE, { hash: 'sha256', label });
    expect(encodeHex(decryptOaep(key, sealed, { hash: 'sha256', label }))).toBe(encodeHex(MESSAGE));
    expect(() => decryptOaep(key, sealed, { hash: 'sha256' })).toThrowError(coded('crypto.open_failed'));
  });
});
