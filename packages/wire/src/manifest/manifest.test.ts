import { decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeReleaseManifest,
  decodeReleaseRoot,
  decodeTrustAnchors,
  encodeReleaseManifest,
  encodeReleaseRoot,
  encodeTrustAnchors,
  type ReleaseManifest,
} from './index.ts';

const manifest: ReleaseManifest = {
  tenant: 'default',
  product: 'hub',
  hardwareRevision: 'a1',
  version: '1.2.3',
  securityCounter: 4,
  imageSha256: new Uint8Array(32).fill(0xab),
  length: 600_000,
  sequence: 9,
  expires: Date.UTC(2027, 0, 1),
};
const root = { version: 1, threshold: 1, keys: [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)] };
const trust = {
  tlsAnchors: ['-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'],
  bootKey: Uint8Array.of(7),
  releaseRoot: root,
};

const documents = [
  { name: 'release manifest', bytes: encodeReleaseManifest(manifest), decode: decodeReleaseManifest, value: manifest },
  { name: 'release root', bytes: encodeReleaseRoot(root), decode: decodeReleaseRoot, value: root },
  { name: 'trust anchors', bytes: encodeTrustAnchors(trust), decode: decodeTrustAnchors, value: trust },
];

describe.each(documents)('the $name', ({ bytes, decode, value }) => {
  const document = JSON.parse(decodeUtf8(bytes)) as Record<string, unknown>;
  const decodeJson = (changed: unknown): unknown => decode(encodeUtf8(JSON.stringify(changed)));

  it('survives a round trip', () => {
    expect(decode(bytes)).toEqual(value);
  });

  it('refuses another format version, an unknown member and each missing one', () => {
    expect(() => decodeJson({ ...document, formatVersion: 2 })).toThrow(HoldfastError);
    expect(() => decodeJson({ ...document, extra: 1 })).toThrow(HoldfastError);
    for (const name of Object.keys(document).filter((key) => key !== 'expires')) {
      expect(() => decodeJson({ ...document, [name]: undefined }), name).toThrow(HoldfastError);
    }
  });

  it('refuses a repeated key', () => {
    const text = decodeUtf8(bytes).trimEnd();
    for (const name of Object.keys(document)) {
      const twice = `${text.slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(document[name])}}`;
      expect(() => decode(encodeUtf8(twice)), name).toThrow(HoldfastError);
    }
  });

  it('refuses every truncation and throws nothing but coded errors', () => {
    const end = decodeUtf8(bytes).trimEnd().length;
    for (let length = 0; length < end; length++) expect(() => decode(bytes.subarray(0, length))).toThrow(HoldfastError);
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          decode(encodeUtf8(text));
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('a release manifest', () => {
  it.each<[string, Partial<Record<keyof ReleaseManifest, unknown>>]>([
    ['a product with a slash', { product: 'a/b' }],
    ['no tenant', { tenant: '' }],
    ['a version of two parts', { version: '1.2' }],
    ['a version with leading zeros', { version: '01.2.3' }],
    ['a negative counter', { securityCounter: -1 }],
    ['a fractional length', { length: 1.5 }],
    ['no length', { length: 0 }],
    ['sequence 0', { sequence: 0 }],
    ['a hash in capitals', { imageSha256: 'AB'.repeat(32) }],
    ['a short hash', { imageSha256: 'ab'.repeat(31) }],
    ['an expiry that is no date', { expires: '2027-02-31T00:00:00Z' }],
    ['an expiry in another zone', { expires: '2027-01-01T00:00:00+01:00' }],
  ])('refuses %s', (_name, change) => {
    const document = { ...JSON.parse(decodeUtf8(encodeReleaseManifest(manifest))), ...change };
    expect(() => decodeReleaseManifest(encodeUtf8(JSON.stringify(document)))).toThrow(HoldfastError);
  });

  it('takes a build number and no expiry', () => {
    const { expires: _expires, ...lasting } = manifest;
    const plain = { ...lasting, version: '1.2.3+4' };
    expect(decodeReleaseManifest(encodeReleaseManifest(plain))).toEqual(plain);
  });
});

describe('a release root', () => {
  it.each([
    { ...root, threshold: 0 },
    { ...root, threshold: 3 },
    { ...root, version: 0 },
    { ...root, keys: [Uint8Array.of(1), Uint8Array.of(1)] },
    { ...root, keys: [] },
  ])('refuses one that nobody or anybody could satisfy (%#)', (wrong) => {
    expect(() => encodeReleaseRoot(wrong)).toThrow(HoldfastError);
  });
});
