import { readFileSync } from 'node:fs';
import { ByteWriter, concatBytes, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_LENGTH,
  crc32,
  decodeEspAppImage,
  decodeSignatureBlock,
  decodeSignedImage,
  encodeSignatureBlock,
  encodeSignedImage,
  ESP_SCHEMES,
  type EspScheme,
  padToSector,
  SECTOR_LENGTH,
} from './index.ts';

const vector = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../vectors/esp32/${name}`, import.meta.url)));
const coded = (code: string) => expect.objectContaining({ code });
const SCHEMES = Object.keys(ESP_SCHEMES) as EspScheme[];

it('computes the CRC-32 of the check string', () => {
  expect(crc32(encodeUtf8('123456789'))).toBe(0xcbf43926);
});

describe('a secure boot v2 image of espsecure', () => {
  it.each(['rsa3072', 'ecdsa192', 'ecdsa256'])('decodes and encodes to the same bytes: %s', (name) => {
    const bytes = vector(`sbv2-${name}.bin`);
    const { covered, blocks } = decodeSignedImage(bytes);
    expect(covered).toEqual(padToSector(vector('raw.bin')));
    expect(blocks).toHaveLength(1);
    expect(encodeSignedImage(covered, blocks)).toEqual(bytes);
  });

  const bytes = vector('sbv2-ecdsa256.bin');
  const changed = (at: number, value: number): Uint8Array => Uint8Array.from(bytes).fill(value, at, at + 1);

  it.each([
    ['no signature', changed(SECTOR_LENGTH, 0xff), 'boot.signature_missing'],
    ['an unknown version', changed(SECTOR_LENGTH + 1, 4), 'boot.bad_header'],
    ['an unknown hash', changed(SECTOR_LENGTH + 2, 2), 'boot.bad_header'],
    ['an unknown curve', changed(SECTOR_LENGTH + 36, 9), 'boot.bad_header'],
    ['a filled reserved byte', changed(SECTOR_LENGTH + 3, 1), 'boot.bad_header'],
    ['a wrong checksum', changed(SECTOR_LENGTH + 1196, 0), 'boot.checksum_mismatch'],
    ['bytes after the checksum', changed(SECTOR_LENGTH + 1200, 1), 'boot.signature_encoding'],
    ['bytes after the blocks', changed(SECTOR_LENGTH + BLOCK_LENGTH + 5, 0), 'boot.trailing_bytes'],
  ])('is refused with %s', (_name, altered, code) => {
    expect(() => decodeSignedImage(altered)).toThrowError(coded(code));
  });

  it('is refused with bytes that no field covers', () => {
    const block = bytes.slice(SECTOR_LENGTH, SECTOR_LENGTH + BLOCK_LENGTH);
    block[300] = 1;
    new DataView(block.buffer).setUint32(1196, crc32(block.subarray(0, 1196)), true);
    expect(() => decodeSignatureBlock(block)).toThrowError(coded('boot.signature_encoding'));
  });

  it('is refused at every length that is cut', () => {
    for (let length = 0; length < bytes.length; length += 97) {
      expect(() => decodeSignedImage(bytes.subarray(0, length))).toThrowError(coded('wire.truncated'));
    }
    for (let length = 0; length < BLOCK_LENGTH; length += 13) {
      const block = bytes.subarray(SECTOR_LENGTH, SECTOR_LENGTH + length);
      expect(() => decodeSignatureBlock(block)).toThrowError(coded('wire.truncated'));
    }
  });

  it.each(SCHEMES)('reads back blocks of scheme %s as they are written, up to three', (scheme) => {
    const { digestLength, keyLength, signatureLength, curveId } = ESP_SCHEMES[scheme];
    const key = new Uint8Array(keyLength).fill(2);
    if (curveId !== undefined) key[0] = curveId;
    const block = {
      scheme,
      imageDigest: new Uint8Array(digestLength).fill(1),
      key,
      signature: new Uint8Array(signatureLength).fill(3),
    };
    expect(decodeSignatureBlock(encodeSignatureBlock(block))).toEqual(block);
    const covered = new Uint8Array(SECTOR_LENGTH);
    expect(decodeSignedImage(encodeSignedImage(covered, [block, block, block])).blocks).toHaveLength(3);
    expect(() => encodeSignedImage(covered, [block, block, block, block])).toThrowError(coded('boot.bad_option'));
    expect(() => encodeSignedImage(covered, [])).toThrowError(coded('boot.bad_option'));
  });
});

describe('an application image', () => {
  /** An application of one segment that begins with a descriptor. */
  function application(change: (bytes: Uint8Array) => void = () => undefined): Uint8Array {
    const field = (text: string, size: number): Uint8Array =>
      concatBytes(encodeUtf8(text), new Uint8Array(size - text.length));
    const data = new ByteWriter(256).u32le(0xabcd5432).u32le(5).fill(0, 8).bytes(field('1.2.3', 32));
    data.bytes(field('thermo\u0007stat', 32)).fill(0, 32).bytes(field('v5.3', 32)).fill(0, 112);
    const body = new ByteWriter(400).u8(0xe9).u8(1).u8(2).u8(0x20).u32le(0x400d0000).fill(0xee, 4).u16le(5).u8(0);
    body.u16le(3).u16le(199).fill(0, 4).u8(1).u32le(0x3c000020).u32le(256).bytes(data.finish());
    body.fill(0, 15 - (body.length % 16)).u8(data.finish().reduce((sum, byte) => sum ^ byte, 0xef));
    const bytes = concatBytes(body.finish(), new Uint8Array(32));
    change(bytes);
    return bytes;
  }

  it('decodes to its segments and what it says about itself', () => {
    const bytes = application();
    const image = decodeEspAppImage(concatBytes(bytes, new Uint8Array(9)));
    expect(image).toMatchObject({
      chipId: 5,
      entry: 0x400d0000,
      minRevision: 3,
      maxRevision: 199,
      length: bytes.length,
    });
    expect(image.segments.map(({ address, data }) => [address, data.length])).toEqual([[0x3c000020, 256]]);
    expect(image.descriptor).toEqual({
      secureVersion: 5,
      version: '1.2.3',
      project: 'thermo?stat',
      idfVersion: 'v5.3',
    });
    expect(image.digest?.covered).toHaveLength(bytes.length - 32);
  });

  it.each<[string, (bytes: Uint8Array) => void, string]>([
    ['another magic', (bytes) => bytes.fill(0xe8, 0, 1), 'boot.bad_magic'],
    ['no segment', (bytes) => bytes.fill(0, 1, 2), 'boot.bad_header'],
    ['17 segments', (bytes) => bytes.fill(17, 1, 2), 'boot.bad_header'],
    ['a digest flag of two', (bytes) => bytes.fill(2, 23, 24), 'boot.bad_header'],
    ['an empty segment', (bytes) => bytes.fill(0, 28, 32), 'boot.bad_header'],
    ['an odd segment', (bytes) => bytes.fill(1, 28, 29), 'boot.bad_header'],
    ['a segment beyond the address space', (bytes) => bytes.fill(0xff, 24, 28), 'boot.bad_header'],
    ['a segment longer than the file', (bytes) => bytes.fill(0x7f, 30, 32), 'wire.truncated'],
    ['one changed byte', (bytes) => bytes.fill(0x77, 100, 101), 'boot.checksum_mismatch'],
    ['filled padding', (bytes) => bytes.fill(1, 290, 291), 'boot.bad_header'],
  ])('is refused with %s', (_name, change, code) => {
    expect(() => decodeEspAppImage(application(change))).toThrowError(coded(code));
  });

  it('is refused at every length that is cut', () => {
    const whole = application();
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeEspAppImage(whole.subarray(0, length))).toThrowError(coded('wire.truncated'));
    }
  });

  it('is an image or a coded error, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 120 }), (bytes) => {
        bytes[0] = 0xe9;
        try {
          decodeEspAppImage(bytes);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
    );
  });
});
