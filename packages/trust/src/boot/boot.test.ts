import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { signRequest } from '@holdfast/crypto/mcuboot';
import { decodeMcubootImage, parseVersion } from '@holdfast/wire/mcuboot';
import { describe, expect, it } from 'vitest';
import {
  detectFormat,
  IMAGE_FORMAT_NAMES,
  IMAGE_FORMATS,
  ImageSigner,
  ImageVerifier,
  parseFormatName,
  prepareImage,
  finishImage,
  type ImageSigningKey,
} from './index.ts';

const VECTORS = new URL('../../../wire/vectors/mcuboot/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, VECTORS)));
const coded = (code: string) => expect.objectContaining({ code });

function memoryKey({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }): ImageSigningKey {
  return { publicKey, sign: async (request) => signRequest(request, privateKey) };
}

const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const payload = new Uint8Array(200).fill(0x42);
const options = { version: parseVersion('2.0.1'), headerSize: 64, padHeader: true, securityCounter: 'auto' } as const;

function publishedPair(): { privateKey: KeyObject; publicKey: KeyObject } {
  const privateKey = createPrivateKey(readFileSync(new URL('keys/root-ec-p256.pem', VECTORS)));
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

describe('the image signer', () => {
  it('hands out an image with the proof that the verifier gave', async () => {
    const { bytes, proof } = await new ImageSigner({ key: memoryKey(pair) }).sign('mcuboot', payload, options);
    expect(proof).toMatchObject({
      kind: 'accepted',
      version: '2.0.1',
      securityCounter: 0x02000001,
      payload,
      testKey: undefined,
    });
    const verdict = new ImageVerifier('mcuboot', [pair.publicKey]).verify(bytes, { minCounter: 0x02000001 });
    expect(verdict).toMatchObject({ kind: 'accepted', digest: proof.digest, keyId: proof.keyId });
  });

  it('hands out nothing when the signature is by another key', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const key = memoryKey({ privateKey: other.privateKey, publicKey: pair.publicKey });
    await expect(new ImageSigner({ key }).sign('mcuboot', payload, options)).rejects.toThrowError(
      coded('boot.result_refused'),
    );
  });

  it('refuses the published test keys, as signer and as recipient, unless development is declared', async () => {
    const published = publishedPair();
    const key = memoryKey(published);
    await expect(new ImageSigner({ key }).sign('mcuboot', payload, options)).rejects.toThrowError(
      coded('boot.test_key'),
    );
    const encryption = {
      recipient: published.publicKey,
      bits: 128,
      random: { bytes: (n: number) => new Uint8Array(n) },
    } as const;
    const own = new ImageSigner({ key: memoryKey(pair) });
    await expect(own.sign('mcuboot', payload, { ...options, encryption })).rejects.toThrowError(coded('boot.test_key'));
    const { proof } = await new ImageSigner({ key, allowTestKeys: true }).sign('mcuboot', payload, options);
    expect(proof.testKey).toBe('MCUboot root-ec-p256');
  });

  it('judges an encrypted image without the key of the device', async () => {
    const recipient = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const encryption = {
      recipient: recipient.publicKey,
      bits: 256,
      random: { bytes: (n: number) => new Uint8Array(n).fill(9) },
    } as const;
    const { bytes, proof } = await new ImageSigner({ key: memoryKey(pair) }).sign('mcuboot', payload, {
      ...options,
      encryption,
    });
    const verdict = new ImageVerifier('mcuboot', [pair.publicKey]).verify(bytes, {
      decryptionKey: recipient.privateKey,
    });
    expect(verdict).toMatchObject({ kind: 'accepted', digest: proof.digest });
  });

  it('works in two steps when the key never comes here', () => {
    const prepared = prepareImage('mcuboot', payload, options, { publicKey: pair.publicKey });
    const signed = finishImage(prepared, signRequest(prepared.request, pair.privateKey));
    expect(new ImageVerifier('mcuboot', [pair.publicKey]).verify(signed.bytes).kind).toBe('accepted');
    const twisted = signRequest({ ...prepared.request, message: payload }, pair.privateKey);
    expect(() => finishImage(prepared, twisted)).toThrowError(coded('boot.result_refused'));
  });
});

describe('the registry of formats', () => {
  it('names each of its rows by the row itself', () => {
    expect(IMAGE_FORMAT_NAMES.map((name) => IMAGE_FORMATS[name].name)).toEqual(IMAGE_FORMAT_NAMES);
    expect(Object.keys(IMAGE_FORMATS)).toEqual(IMAGE_FORMAT_NAMES);
    expect(parseFormatName('mcuboot')).toBe('mcuboot');
    expect(() => parseFormatName('constructor')).toThrowError(coded('boot.unknown_format'));
  });

  it('knows an image by how it begins', () => {
    expect(detectFormat(vector('plain-root-ed25519.bin'))).toBe('mcuboot');
    expect(detectFormat(vector('app.bin'))).toBeUndefined();
    expect(detectFormat(new Uint8Array(3))).toBeUndefined();
  });

  it('tells what an image says about itself', () => {
    const facts = IMAGE_FORMATS.mcuboot.inspect(vector('full-root-ec-p256.bin'));
    const value = (name: string) => facts.find((fact) => fact.name === name)?.value;
    expect(value('version')).toBe('1.2.3+4');
    expect(value('SEC_CNT')).toBe('16908291');
    expect(value('DEPENDENCY')).toBe('image 1 at least 2.0.0+5');
    expect(value('BOOT_RECORD')).toBe('APP 1.2.3 sha256');
    expect(value('0x00a0')).toBe('c0ffee');
    expect(facts).toHaveLength(6 + decodeMcubootImage(vector('full-root-ec-p256.bin')).protectedTlvs.length + 3);
    expect(IMAGE_FORMATS.mcuboot.inspect(vector('padded-maxalign16.bin')).at(-1)?.value).toBe('yes');
  });
});
