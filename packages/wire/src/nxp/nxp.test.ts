import { readFileSync } from 'node:fs';
import { ByteReader, concatBytes, decodeHex, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeNxpCmpa,
  decodeNxpImage,
  decodeNxpSecureBinary,
  encodeNxpCertificateBlock,
  encodeNxpCmpa,
  isNxpImage,
  isNxpSecureBinary,
  layOutNxpImage,
  readNxpCertificateBlock,
} from './index.ts';

const FOLDER = new URL('../../vectors/nxp/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const total = (decode: (bytes: Uint8Array) => unknown) => (bytes: Uint8Array) => {
  try {
    decode(bytes);
  } catch (error) {
    expect(HoldfastError.is(error)).toBe(true);
  }
};
const withWord = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
};

describe('a signed image', () => {
  const single = vector('single.bin');
  const blockAt = 1000;

  it('reads what nxpimage writes', () => {
    const image = decodeNxpImage(single);
    expect(image).toMatchObject({ trustZone: 'disabled', loadAddress: 0, block: { buildNumber: 7 } });
    expect(image.application.subarray(0x38)).toEqual(vector('app.bin').subarray(0x38));
    expect(image.block.certificates.map(({ raw }) => raw)).toEqual([vector('root0.der')]);
    expect(decodeNxpImage(vector('chain.bin'))).toMatchObject({ trustZone: 'enabled' });
    expect(isNxpImage(single)).toBe(true);
  });

  it.each([
    ['single', ['root0.der'], 'disabled'],
    ['chain', ['rootca1.der', 'leaf.der'], 'enabled'],
  ] as const)('is laid out as nxpimage does, byte for byte: %s', (name, files, trustZone) => {
    const theirs = decodeNxpImage(vector(`${name}.bin`));
    const ours = layOutNxpImage(vector('app.bin'), {
      certificates: files.map(vector),
      rootKeyHashes: theirs.block.rootKeyHashes,
      buildNumber: 7,
      loadAddress: 0,
      trustZone,
      signatureLength: 256,
    });
    expect(ours).toEqual(theirs.covered);
  });

  it.each<[string, Uint8Array, string]>([
    ['a plain image', withWord(single, 0x24, 0x4000), 'boot.signature_missing'],
    ['a flag of other chips', withWord(single, 0x24, 0xc004), 'boot.bad_header'],
    ['an unknown TrustZone', withWord(single, 0x24, 0x6004), 'boot.bad_header'],
    ['a length beyond the file', withWord(single, 0x20, single.length + 4), 'wire.truncated'],
    ['bytes behind the signature', concatBytes(single, Uint8Array.of(0)), 'boot.trailing_bytes'],
    ['a block inside the vectors', withWord(single, 0x28, 0x20), 'boot.bad_header'],
    ['a block between words', withWord(single, 0x28, blockAt + 1), 'boot.bad_header'],
    ['a block elsewhere', withWord(single, 0x28, blockAt + 4), 'boot.bad_magic'],
    ['a signature over less', withWord(single, blockAt + 20, 1000), 'boot.bad_header'],
    ['another version of the block', withWord(single, blockAt + 4, 2), 'boot.bad_header'],
    ['no certificate', withWord(single, blockAt + 24, 0), 'boot.bad_header'],
    ['a certificate too many', withWord(single, blockAt + 24, 2), 'wire.truncated'],
    ['a certificate beyond its table', withWord(single, blockAt + 32, 0xfffffff0), 'wire.truncated'],
    ['a table beyond the limit', withWord(single, blockAt + 28, 0x7fffffff), 'boot.bad_header'],
  ])('is refused with %s', (_name, bytes, code) => {
    expect(() => decodeNxpImage(bytes)).toThrowError(coded(code));
  });

  it('is refused at every length that is cut', () => {
    for (let length = 0; length < single.length; length++)
      expect(() => decodeNxpImage(single.subarray(0, length))).toThrowError(HoldfastError);
  });

  it('is an image or a coded error, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), total(decodeNxpImage)));
    const tail = fc.uint8Array({ maxLength: 120 });
    fc.assert(
      fc.property(tail, (bytes) =>
        total(decodeNxpImage)(
          withWord(concatBytes(single.subarray(0, blockAt + 8), bytes), 0x20, blockAt + 8 + bytes.length),
        ),
      ),
    );
  });

  const layout = {
    certificates: [vector('root0.der')],
    rootKeyHashes: [],
    buildNumber: 0,
    loadAddress: 0,
    trustZone: 'disabled',
    signatureLength: 256,
  } as const;
  it.each<[string, Uint8Array, object, string]>([
    ['too little for vectors', new Uint8Array(0x37), {}, 'boot.bad_option'],
    ['vectors in use', single, {}, 'boot.header_not_blank'],
    [
      'five root keys',
      vector('app.bin'),
      { rootKeyHashes: Array.from({ length: 5 }, () => new Uint8Array(32)) },
      'boot.bad_option',
    ],
    ['a short hash', vector('app.bin'), { rootKeyHashes: [new Uint8Array(31)] }, 'boot.bad_option'],
    ['no certificate', vector('app.bin'), { certificates: [] }, 'boot.bad_option'],
  ])('is not laid out from %s', (_name, application, change, code) => {
    expect(() => layOutNxpImage(application, { ...layout, ...change })).toThrowError(coded(code));
  });
});

describe('a certificate block', () => {
  it('reads back what it writes, up to four certificates', () => {
    const certificates = ['root0.der', 'rootca1.der', 'leaf.der', 'root3.der'].map(vector);
    const rootKeyHashes = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const bytes = encodeNxpCertificateBlock({ certificates, rootKeyHashes, buildNumber: 3 }, 5000);
    const block = readNxpCertificateBlock(new ByteReader(bytes), 4);
    expect(block).toMatchObject({ buildNumber: 3, signedLength: 5000 });
    expect(block.certificates.map(({ raw }) => raw)).toEqual(certificates);
    expect(block.rootKeyHashes.map((hash) => hash[0])).toEqual([1, 2, 0, 0]);
  });
});

describe('a secure binary', () => {
  const read = (bytes: Uint8Array) => decodeNxpSecureBinary(bytes, () => 256);
  const plain = vector('sb8.sb2');
  const digested = vector('sb8008.sb2');

  it('reads what nxpimage writes', () => {
    expect(read(plain)).toMatchObject({
      buildNumber: 7,
      productVersion: '1.2.3',
      componentVersion: '1.2.3',
      sectionMacs: 1,
    });
    expect(read(plain).sectionsDigest).toBeUndefined();
    expect(read(digested).sectionsDigest).toHaveLength(32);
    expect(isNxpSecureBinary(plain)).toBe(true);
  });

  const half = (at: number, value: number): Uint8Array => {
    const copy = Uint8Array.from(plain);
    new DataView(copy.buffer).setUint16(at, value, true);
    return copy;
  };
  it.each<[string, Uint8Array, string]>([
    ['another magic', withWord(plain, 20, 0), 'boot.bad_magic'],
    ['another version', half(24, 0x0202), 'boot.bad_header'],
    ['unsigned content', half(26, 0), 'boot.bad_header'],
    ['more blocks than the file has', withWord(plain, 28, 0xe0), 'boot.bad_header'],
    ['a tag block elsewhere', withWord(plain, 32, 1), 'boot.bad_header'],
    ['certificates elsewhere', withWord(plain, 40, 0), 'boot.bad_header'],
    ['a longer header', half(44, 7), 'boot.bad_header'],
    ['keys elsewhere', half(46, 0xffff), 'boot.bad_header'],
    ['more keys', half(48, 6), 'boot.bad_header'],
    ['no HMAC', half(50, 0), 'boot.bad_header'],
    ['more HMACs than the sections hold', half(50, 0xffff), 'boot.bad_header'],
    ['another second magic', withWord(plain, 52, 0), 'boot.bad_magic'],
    ['a version that is no decimal', half(64, 0x0a00), 'boot.bad_header'],
    ['another build number', withWord(plain, 88, 0), 'boot.bad_header'],
    ['a signature over less', withWord(plain, 208 + 20, 208), 'boot.bad_header'],
  ])('is refused with %s', (_name, bytes, code) => {
    expect(() => read(bytes)).toThrowError(coded(code));
  });

  it('is refused at every length that is cut, whatever the bytes', () => {
    for (let length = 0; length < plain.length; length++)
      expect(() => read(plain.subarray(0, length))).toThrowError(HoldfastError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (tail) => total(read)(concatBytes(plain.subarray(0, 96), tail))),
    );
    fc.assert(fc.property(fc.uint8Array({ minLength: 90, maxLength: 100 }), total(read)));
  });
});

describe('a CMPA page', () => {
  const rootKeyTableHash = decodeHex('587cfcfb4d63061f513d36a7da340156705029ae8785144c3d25983575755f74');
  const page = { rootKeyTableHash, secureBoot: true, rsa4096Only: false, vendorUsage: 0, sealed: false };

  it('has the bytes that pfr writes', () => {
    expect(encodeNxpCmpa(page)).toEqual(vector('cmpa.bin'));
    expect(encodeNxpCmpa({ ...page, sealed: true })).toEqual(vector('cmpa-sealed.bin'));
    expect(decodeNxpCmpa(vector('cmpa-sealed.bin'))).toEqual({ ...page, sealed: true });
  });

  it('reads back what it writes', () => {
    for (const change of [{ secureBoot: false }, { rsa4096Only: true }, { vendorUsage: 0xffffffff }])
      expect(decodeNxpCmpa(encodeNxpCmpa({ ...page, ...change }))).toEqual({ ...page, ...change });
  });

  it('is refused half sealed, cut, or with a short hash', () => {
    expect(() => decodeNxpCmpa(withWord(vector('cmpa.bin'), 0x1e0, 0x4c414553))).toThrowError(coded('boot.bad_header'));
    for (let length = 0; length < 512; length++)
      expect(() => decodeNxpCmpa(vector('cmpa.bin').subarray(0, length))).toThrowError(coded('wire.truncated'));
    expect(() => decodeNxpCmpa(new Uint8Array(513))).toThrowError(coded('wire.trailing_bytes'));
    expect(() => encodeNxpCmpa({ ...page, rootKeyTableHash: new Uint8Array(31) })).toThrowError(
      coded('boot.bad_option'),
    );
  });
});
