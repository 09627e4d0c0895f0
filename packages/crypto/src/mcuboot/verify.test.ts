import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { concatBytes, type ErrorCode } from '@holdfast/kernel';
import { decodeMcubootImage, encodeTlvArea, MCUBOOT_TLV, type McubootTlv } from '@holdfast/wire/mcuboot';
import { describe, expect, it } from 'vitest';
import { mcubootPublicKey, publishedTestKey, verifyMcubootImage } from './index.ts';
import { signSample, SMALL, VECTOR_KEYS, vectorFile, vectorKey, vectorPublicKey } from './sample-images.ts';

const ED = vectorPublicKey('root-ed25519');
const P256 = vectorPublicKey('root-ec-p256');
const payload = Uint8Array.from({ length: 40 }, (_, at) => at);
const whole = signSample(payload, { ...SMALL, securityCounter: 7 }, 'root-ed25519');

/** The image with other unprotected entries than its own. */
function withSeal(image: Uint8Array, change: (tlvs: readonly McubootTlv[]) => readonly McubootTlv[]): Uint8Array {
  const { covered, unprotectedTlvs } = decodeMcubootImage(image);
  return concatBytes(covered, encodeTlvArea('unprotected', change(unprotectedTlvs)));
}

const drop = (type: number) => (tlvs: readonly McubootTlv[]) => tlvs.filter((tlv) => tlv.type !== type);
const add = (type: number, value: Uint8Array) => (tlvs: readonly McubootTlv[]) => [...tlvs, { type, value }];

describe('the verifier', () => {
  it('accepts the image and says what it proved', () => {
    const verdict = verifyMcubootImage(whole, [P256, ED]);
    expect(verdict).toMatchObject({ kind: 'accepted', securityCounter: 7, hash: 'sha256' });
    expect(verdict.kind === 'accepted' && [verdict.key, verdict.payload]).toEqual([ED, payload]);
  });

  it('refuses every truncation', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(verifyMcubootImage(whole.subarray(0, length), [ED])).toMatchObject({
        kind: 'refused',
        code: 'wire.truncated',
      });
    }
  });

  it.each(['root-ed25519', 'root-ec-p256'])('refuses every single flipped bit of an image signed by %s', (name) => {
    const image = signSample(payload, { ...SMALL, securityCounter: 7 }, name);
    const accepted = flips(image).filter((bit) => verifyMcubootImage(flip(image, bit), [P256, ED]).kind === 'accepted');
    expect(accepted).toEqual([]);
  });

  it('leaves one bit of a padded slot unjudged, the confirmation where erased flash reads as zero', () => {
    const slot = { size: 700, writeSize: 1, maxSectors: 2, pad: true };
    const image = signSample(payload, { ...SMALL, slot, erasedValue: 0x00 }, 'root-ed25519');
    const { length } = decodeMcubootImage(image).bytes;
    const accepted = flips(image)
      .filter((bit) => bit >= length * 8)
      .filter((bit) => verifyMcubootImage(flip(image, bit), [ED]).kind === 'accepted');
    expect(accepted).toEqual([(700 - 24) * 8]);
  });

  it.each<[string, Uint8Array, ErrorCode]>([
    ['without a signature', withSeal(whole, drop(MCUBOOT_TLV.ed25519)), 'boot.signature_missing'],
    ['without a key', withSeal(whole, drop(MCUBOOT_TLV.keyHash)), 'boot.unknown_key'],
    ['without a hash', withSeal(whole, drop(MCUBOOT_TLV.sha256)), 'boot.hash_missing'],
    ['whose signature precedes its key', withSeal(whole, (tlvs) => tlvs.toReversed()), 'boot.bad_tlv'],
    ['with a second signature', withSeal(whole, add(MCUBOOT_TLV.ecdsa, new Uint8Array(70))), 'boot.tlv_duplicate'],
    ['with a second hash', withSeal(whole, add(MCUBOOT_TLV.sha512, new Uint8Array(64))), 'boot.tlv_duplicate'],
    ['with hash and key both', withSeal(whole, add(MCUBOOT_TLV.publicKey, ED.bytes)), 'boot.tlv_duplicate'],
    [
      'with an unsigned counter',
      withSeal(whole, add(MCUBOOT_TLV.securityCounter, new Uint8Array(4))),
      'boot.tlv_not_allowed',
    ],
    ['marked pure afterwards', withSeal(whole, add(MCUBOOT_TLV.pure, Uint8Array.of(1))), 'boot.bad_signature'],
    ['marked pure by another value', withSeal(whole, add(MCUBOOT_TLV.pure, Uint8Array.of(2))), 'boot.tlv_not_allowed'],
    ['with a stray encrypted key', withSeal(whole, add(MCUBOOT_TLV.encKw, new Uint8Array(24))), 'boot.tlv_not_allowed'],
    ['followed by one byte', concatBytes(whole, Uint8Array.of(0)), 'boot.trailing_bytes'],
    [
      'with another key type in the entry',
      withSeal(whole, (tlvs) =>
        tlvs.map((tlv) => (tlv.type === MCUBOOT_TLV.ed25519 ? { ...tlv, type: MCUBOOT_TLV.ecdsa } : tlv)),
      ),
      'boot.tlv_not_allowed',
    ],
    ['signed by a key that is not trusted', signSample(payload, SMALL, 'root-ec-p384'), 'boot.unknown_key'],
    ['marked not bootable', signSample(payload, { ...SMALL, nonBootable: true }, 'root-ed25519'), 'boot.not_bootable'],
  ])('refuses an image %s', (_name, image, code) => {
    expect(verifyMcubootImage(image, [ED, P256])).toMatchObject({ kind: 'refused', code });
  });

  it('refuses a key named in full that only hashes to nothing it trusts', () => {
    const image = signSample(payload, { ...SMALL, publicKeyForm: 'full' }, 'root-ed25519');
    expect(verifyMcubootImage(image, [ED]).kind).toBe('accepted');
    expect(verifyMcubootImage(image, [P256])).toMatchObject({ kind: 'refused', code: 'boot.unknown_key' });
  });

  it('refuses compressed images, with and without the flag', () => {
    const flagged = Uint8Array.from(whole);
    flagged[17] = 0x04;
    expect(verifyMcubootImage(flagged, [ED])).toMatchObject({ code: 'boot.compressed' });
  });

  it.each([
    [7, 7, 'accepted', undefined],
    [7, 6, 'accepted', undefined],
    [7, 8, 'refused', 'boot.counter_too_low'],
    [undefined, 0, 'refused', 'boot.counter_missing'],
    [undefined, undefined, 'accepted', undefined],
  ] as const)('with counter %s and floor %s answers %s', (securityCounter, minCounter, kind, code) => {
    const options = securityCounter === undefined ? SMALL : { ...SMALL, securityCounter };
    const verdict = verifyMcubootImage(
      signSample(payload, options, 'root-ed25519'),
      [ED],
      minCounter === undefined ? {} : { minCounter },
    );
    expect(verdict).toMatchObject(code === undefined ? { kind } : { kind, code });
  });

  it('judges an image in a flash slot by its own bytes and hands out only those', () => {
    const slot = concatBytes(whole, new Uint8Array(100).fill(0x33));
    const verdict = verifyMcubootImage(slot, [ED], { tail: 'slot' });
    expect(verdict.kind === 'accepted' && verdict.image.bytes).toEqual(whole);
  });
});

describe('keys', () => {
  it('of kinds the boot code does not know are refused', () => {
    for (const pair of [
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('x25519'),
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
    ]) {
      expect(() => mcubootPublicKey(pair.publicKey)).toThrowError(
        expect.objectContaining({ code: 'boot.unsupported_key' }),
      );
    }
  });

  it('that MCUboot publishes are recognised, and others are not', () => {
    for (const name of [...VECTOR_KEYS, 'enc-ec256-priv', 'enc-rsa2048-priv', 'enc-x25519-priv']) {
      expect(publishedTestKey(spkiOf(vectorKey(name)))).toMatch(/^MCUboot (root|enc)-/);
    }
    expect(publishedTestKey(spkiOf(generateKeyPairSync('ed25519').privateKey))).toBeUndefined();
  });

  it('hash to what imgtool wrote into its images', () => {
    const image = decodeMcubootImage(vectorFile('plain-root-rsa-2048.bin'));
    expect(image.unprotectedTlvs[1]?.value).toEqual(vectorPublicKey('root-rsa-2048').hashes.sha256);
  });
});

function spkiOf(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

function flips(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length * 8 }, (_, bit) => bit);
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
