import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { concatBytes, HoldfastError } from '@holdfast/kernel';
import { decodeSignedImage, encodeSignedImage, SECTOR_LENGTH } from '@holdfast/wire/esp32';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decryptFlash,
  decryptNvs,
  encryptFlash,
  encryptNvs,
  type EspPolicy,
  espPublicKey,
  type EspPublicKey,
  espV1Key,
  type FlashEncryption,
  judgeSecureBootV1,
  judgeSecureBootV2,
  prepareSecureBootV2,
  signP192,
} from './index.ts';

const FOLDER = new URL('../../../wire/vectors/esp32/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const vectorKey = (name: string): KeyObject => createPrivateKey(readFileSync(new URL(`${name}.pem`, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });

function publicKey(key: KeyObject): EspPublicKey {
  return espPublicKey(createPublicKey(key).export({ type: 'spki', format: 'der' }));
}

function signSample(image: Uint8Array, key: KeyObject, options = {}): Uint8Array {
  const prepared = prepareSecureBootV2(image, options, publicKey(key));
  const { algorithm, message } = prepared;
  if (algorithm === 'ecdsa-p192-sha256') return prepared.finish(signP192(message, key));
  const hash = algorithm.endsWith('sha384') ? 'sha384' : 'sha256';
  return prepared.finish(
    sign(hash, message, algorithm.startsWith('rsa') ? { key, padding: 6, saltLength: 32 } : { key }),
  );
}

const code = (judge: () => unknown): string => {
  try {
    judge();
    return 'accepted';
  } catch (error) {
    return HoldfastError.is(error) ? error.code : String(error);
  }
};

describe('secure boot v2', () => {
  const names = ['rsa3072', 'ecdsa192', 'ecdsa256'] as const;

  it.each(names)('accepts what espsecure signed by %s, and names the key as its eFuse digest', (name) => {
    const key = publicKey(vectorKey(name));
    const accepted = judgeSecureBootV2(vector(`sbv2-${name}.bin`), [publicKey(vectorKey('ecdsa256b')), key]);
    expect(accepted.covered.subarray(0, 3000)).toEqual(vector('raw.bin'));
    expect(accepted.key.digest).toEqual(vector(`digest-${name}.bin`));
  });

  it.each(names)('refuses it by any other key: %s', (name) => {
    const others = names.filter((other) => other !== name).map((other) => publicKey(vectorKey(other)));
    const twin = publicKey(vectorKey(`${name}b`));
    expect(code(() => judgeSecureBootV2(vector(`sbv2-${name}.bin`), [...others, twin]))).toBe('boot.unknown_key');
  });

  const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey;
  const small = Uint8Array.from({ length: 70 }, (_, at) => at);

  it.each([
    ['RSA-3072', vectorKey('rsa3072b')],
    ['P-192', vectorKey('ecdsa192b')],
    ['P-256', vectorKey('ecdsa256b')],
    ['P-384', p384],
  ])('accepts what it signed itself by %s', (_name, key) => {
    expect(judgeSecureBootV2(signSample(small, key), [publicKey(key)]).covered.subarray(0, 70)).toEqual(small);
  });

  it('keeps the blocks of other keys when one is added, up to the number the chip reads', () => {
    const [one, two] = [vectorKey('ecdsa256'), vectorKey('ecdsa256b')];
    const both = signSample(signSample(small, one), two, { append: true });
    for (const key of [one, two]) expect(judgeSecureBootV2(both, [publicKey(key)]).key.scheme).toBe('ecdsa-p256');
    const single: EspPolicy = { maxBlocks: 1 };
    expect(code(() => judgeSecureBootV2(both, [publicKey(one)], single))).toBe('boot.trailing_bytes');
    expect(() => signSample(both, one, { append: true })).toThrowError(coded('boot.tlv_duplicate'));
    expect(() => signSample(signSample(small, one), two, { append: true, ...single })).toThrowError(
      coded('boot.bad_option'),
    );
    expect(() => signSample(both, p384, { append: true })).toThrowError(coded('boot.tlv_not_allowed'));
  });

  it('refuses every single flipped bit of the blocks, and a sample of those in the image', () => {
    const key = vectorKey('ecdsa256');
    const whole = signSample(small, key);
    const bits = Array.from({ length: 1300 * 8 }, (_, bit) => SECTOR_LENGTH * 8 + bit);
    const image = Array.from({ length: 300 }, (_, index) => index * 109);
    const accepted = [...bits, ...image].filter((bit) => {
      const copy = Uint8Array.from(whole);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return code(() => judgeSecureBootV2(copy, [publicKey(key)])) === 'accepted';
    });
    expect(accepted).toEqual([]);
  });

  it.each([
    [
      'a signature over another image',
      (own: Uint8Array, other: Uint8Array) =>
        concatBytes(own.subarray(0, SECTOR_LENGTH), other.subarray(SECTOR_LENGTH)),
      'boot.hash_mismatch',
    ],
    ['a signature by a key other than the one in its block', resign, 'boot.bad_signature'],
    ['a sector less', (own: Uint8Array) => own.subarray(SECTOR_LENGTH), 'wire.truncated'],
    [
      'a sector more',
      (own: Uint8Array) => concatBytes(own, new Uint8Array(SECTOR_LENGTH).fill(0xff)),
      'boot.signature_missing',
    ],
  ])('refuses %s', (_name, change, expected) => {
    const key = vectorKey('ecdsa256');
    const altered = change(signSample(small, key), signSample(small.toReversed(), key));
    expect(code(() => judgeSecureBootV2(altered, [publicKey(key)]))).toBe(expected);
  });

  function resign(own: Uint8Array): Uint8Array {
    const { covered, blocks } = decodeSignedImage(own);
    const foreign = decodeSignedImage(signSample(small, vectorKey('ecdsa256b'))).blocks;
    return encodeSignedImage(
      covered,
      blocks.map((block, at) => ({ ...block, signature: foreign[at]?.signature ?? block.signature })),
    );
  }

  it('demands a secure version where a floor is set', () => {
    const key = vectorKey('ecdsa256');
    expect(code(() => judgeSecureBootV2(signSample(small, key), [publicKey(key)], { minCounter: 0 }))).toBe(
      'boot.counter_missing',
    );
  });

  it('knows no other kind of key', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    expect(() => publicKey(rsa)).toThrowError(coded('boot.unsupported_key'));
    expect(() => espPublicKey(new Uint8Array(5))).toThrowError(coded('crypto.bad_key'));
  });
});

describe('secure boot v1', () => {
  const key = espV1Key(createPublicKey(vectorKey('sbv1')).export({ type: 'spki', format: 'der' }));
  const whole = vector('sbv1.bin');

  it('accepts what espsecure signed, and nothing that differs by a bit', () => {
    expect(judgeSecureBootV1(whole, [key]).image).toEqual(vector('raw.bin'));
    for (let bit = 0; bit < whole.length * 8; bit += 37) {
      const copy = Uint8Array.from(whole);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(code(() => judgeSecureBootV1(copy, [key]))).toMatch(/^boot\.(bad_signature|bad_header)$/);
    }
  });

  it('refuses a cut, a longer and a differently signed image', () => {
    expect(code(() => judgeSecureBootV1(whole.subarray(0, 68), [key]))).toBe('wire.truncated');
    expect(code(() => judgeSecureBootV1(concatBytes(whole, new Uint8Array(4)), [key]))).toMatch(/^boot\./);
    expect(code(() => judgeSecureBootV1(whole, []))).toBe('boot.bad_signature');
  });
});

describe('flash encryption', () => {
  const files = readdirSync(FOLDER).filter((name) => name.startsWith('enc-'));

  it.each(files)('gives the bytes of espsecure and takes them back: %s', (file) => {
    const [, scheme = '', place = ''] = /^enc-(\w+)-(\w+)\.bin$/.exec(file) ?? [];
    const conf = place.startsWith('conf');
    const options: FlashEncryption = {
      scheme: scheme === 'esp32' ? 'esp32' : 'xts',
      key: vector(scheme === 'xts256' ? 'k512.bin' : 'k256.bin'),
      address: conf ? 0x10000 : Number(place),
      ...(conf ? { cryptConfig: Number(place.slice(4)) } : {}),
    };
    expect(encryptFlash(vector('plain.bin'), options)).toEqual(vector(file));
    expect(decryptFlash(vector(file), options)).toEqual(vector('plain.bin'));
  });

  it('encrypts a piece as the same bytes within the whole', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<'esp32' | 'xts'>('esp32', 'xts'),
        fc.nat(60),
        fc.integer({ min: 1, max: 60 }),
        (scheme, from, count) => {
          const options = { scheme, key: vector('k256.bin'), address: 0x10000 };
          const plain = vector('plain.bin');
          const piece = plain.subarray(from * 16, (from + count) * 16);
          const whole = encryptFlash(plain, options);
          const alone = encryptFlash(piece, { ...options, address: 0x10000 + from * 16 });
          expect(alone).toEqual(whole.subarray(from * 16, (from + count) * 16));
        },
      ),
      { numRuns: 40 },
    );
  });

  const good: FlashEncryption = { scheme: 'xts', key: new Uint8Array(32).fill(1), address: 0 };
  it.each<[string, Uint8Array, FlashEncryption]>([
    ['an address between blocks', new Uint8Array(16), { ...good, address: 8 }],
    ['an address beyond 32 bits', new Uint8Array(16), { ...good, address: 2 ** 32 }],
    ['a length between blocks', new Uint8Array(17), good],
    ['nothing', new Uint8Array(0), good],
    ['a key of another length', new Uint8Array(16), { ...good, key: new Uint8Array(24) }],
    ['a long key on the ESP32', new Uint8Array(16), { ...good, scheme: 'esp32', key: new Uint8Array(64) }],
    ['a configuration beyond four bits', new Uint8Array(16), { ...good, scheme: 'esp32', cryptConfig: 16 }],
  ])('refuses %s', (_name, bytes, options) => {
    expect(() => encryptFlash(bytes, options)).toThrowError(coded('boot.bad_option'));
  });
});

describe('NVS encryption', () => {
  const [plain, keys] = [vector('nvs-plain.bin'), vector('nvs-keys.bin')];

  it('gives the bytes of the ESP-IDF generator and takes them back', () => {
    expect(encryptNvs(plain, keys)).toEqual(vector('nvs-encrypted.bin'));
    expect(decryptNvs(vector('nvs-encrypted.bin'), keys)).toEqual(plain);
  });

  const altered = (bytes: Uint8Array, at: number): Uint8Array => Uint8Array.from(bytes).fill(0x5a, at, at + 1);
  it.each([
    ['a part of a page', plain.subarray(0, 4095), keys, 'wire.malformed'],
    ['nothing', new Uint8Array(0), keys, 'wire.malformed'],
    ['a damaged page header', altered(plain, 5), keys, 'boot.checksum_mismatch'],
    ['an unknown page state', altered(plain, 1), keys, 'wire.malformed'],
    ['damaged keys', plain, altered(keys, 3), 'boot.checksum_mismatch'],
    ['half the keys', plain, keys.subarray(0, 40), 'wire.truncated'],
    ['keys followed by something', plain, altered(keys, 70), 'wire.trailing_bytes'],
  ])('refuses %s', (_name, partition, keyPartition, expected) => {
    expect(code(() => encryptNvs(partition, keyPartition))).toBe(expected);
  });
});
