import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSigner, PrivateKey } from '@holdfast/crypto';
import { seededRandom } from '@holdfast/kernel';
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
} from './index.ts';

const VECTORS = new URL('../../../wire/vectors/mcuboot/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, VECTORS)));
const coded = (code: string) => expect.objectContaining({ code });

const newKey = () => new PrivateKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey);
const own = newKey();
const signer = createSigner(own);
const { spki } = own.publicKey;
const random = seededRandom(3);
const payload = new Uint8Array(200).fill(0x42);
const options = { version: parseVersion('2.0.1'), headerSize: 64, padHeader: true, securityCounter: 'auto' } as const;

const published = new PrivateKey(createPrivateKey(readFileSync(new URL('keys/root-ec-p256.pem', VECTORS))));

describe('the image signer', () => {
  it('hands out an image with the proof that the verifier gave', async () => {
    const { bytes, proof } = await new ImageSigner({ signer }).sign('mcuboot', payload, options);
    expect(proof).toMatchObject({
      kind: 'accepted',
      version: '2.0.1',
      securityCounter: 0x02000001,
      payload,
      testKey: undefined,
    });
    const verdict = new ImageVerifier('mcuboot', [spki]).verify(bytes, { minCounter: 0x02000001 });
    expect(verdict).toMatchObject({ kind: 'accepted', digest: proof.digest, keyId: proof.keyId });
  });

  it('hands out nothing when the signature is by another key or by another algorithm', async () => {
    const foreign = new ImageSigner({ signer: { ...createSigner(newKey()), publicKeySpki: spki } });
    await expect(foreign.sign('mcuboot', payload, options)).rejects.toThrowError(coded('boot.result_refused'));
    const other = new ImageSigner({ signer: createSigner(own, 'ecdsa-p256-sha384') });
    await expect(other.sign('mcuboot', payload, options)).rejects.toThrowError(coded('boot.unsupported_key'));
  });

  it('refuses the published test keys, as signer and as recipient, unless development is declared', async () => {
    const theirs = createSigner(published);
    const attempt = new ImageSigner({ signer: theirs }).sign('mcuboot', payload, options);
    await expect(attempt).rejects.toThrowError(coded('boot.test_key'));
    const encryption = { recipient: published.publicKey.keyObject, bits: 128, random } as const;
    const secret = new ImageSigner({ signer }).sign('mcuboot', payload, { ...options, encryption });
    await expect(secret).rejects.toThrowError(coded('boot.test_key'));
    const development = new ImageSigner({ signer: theirs, allowTestKeys: true });
    const { proof } = await development.sign('mcuboot', payload, options);
    expect(proof.testKey).toBe('MCUboot root-ec-p256');
  });

  it('judges an encrypted image without the key of the device', async () => {
    const device = newKey();
    const encryption = { recipient: device.publicKey.keyObject, bits: 256, random } as const;
    const { bytes, proof } = await new ImageSigner({ signer }).sign('mcuboot', payload, { ...options, encryption });
    const verdict = new ImageVerifier('mcuboot', [spki]).verify(bytes, { decryptionKey: device.keyObject });
    expect(verdict).toMatchObject({ kind: 'accepted', digest: proof.digest });
  });

  it('works in two steps when the key never comes here', async () => {
    const prepared = prepareImage('mcuboot', payload, options, { publicKeySpki: spki });
    const signed = finishImage(prepared, await signer.sign(prepared.request.message));
    expect(new ImageVerifier('mcuboot', [spki]).verify(signed.bytes).kind).toBe('accepted');
    const twisted = await signer.sign(payload);
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
