import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cborTagged, encodeCbor } from '../cbor/index.ts';
import {
  decodeSuitEnvelope,
  encodeSuitEnvelope,
  encodeSuitManifest,
  type SuitManifest,
  suitDigestInput,
  suitToBeSigned,
} from './index.ts';

const example = Uint8Array.from(readFileSync(new URL('../../vectors/suit/example0.suit', import.meta.url)));
const coded = (code: string) => expect.objectContaining({ code });
const envelope = decodeSuitEnvelope(example);

describe('a SUIT envelope', () => {
  it('of the draft is read and written the same', () => {
    expect(envelope.algorithm).toBe('ES256');
    expect(envelope.manifest).toMatchObject({ sequence: 0, imageSize: 34_768 });
    expect(envelope.manifest.uri).toBeUndefined();
    expect(encodeSuitManifest(envelope.manifest)).toEqual(envelope.manifestBytes);
    expect(encodeSuitEnvelope(envelope)).toEqual(example);
  });

  it('keeps the address an image is fetched from', () => {
    const manifest: SuitManifest = { ...envelope.manifest, sequence: 2 ** 33, uri: 'https://example.com/file.bin' };
    const manifestBytes = encodeSuitManifest(manifest);
    expect(decodeSuitEnvelope(encodeSuitEnvelope({ ...envelope, manifestBytes })).manifest).toEqual(manifest);
  });

  it('has its digest over the byte string and its header, and the digest signed', () => {
    expect(suitDigestInput(envelope.manifestBytes).subarray(0, 2)).toEqual(Uint8Array.of(0x58, 0x71));
    expect(suitToBeSigned('ES256', envelope.digest).at(0)).toBe(0x84);
  });

  it.each<[string, Partial<SuitManifest>]>([
    ['a short vendor id', { vendorId: new Uint8Array(15) }],
    ['a long class id', { classId: new Uint8Array(17) }],
    ['another digest', { imageDigest: new Uint8Array(48) }],
    ['a negative sequence', { sequence: -1 }],
    ['half a byte', { imageSize: 0.5 }],
    ['no address', { uri: '' }],
  ])('is not made with %s', (_name, change) => {
    expect(() => encodeSuitManifest({ ...envelope.manifest, ...change })).toThrowError(coded('boot.bad_option'));
  });

  it('is refused with anything beside what is signed', () => {
    const more = new Map<string | number, Uint8Array>([
      [2, example.subarray(5, 120)],
      [3, envelope.manifestBytes],
      ['payload', Uint8Array.of(1)],
    ]);
    expect(() => decodeSuitEnvelope(encodeCbor(cborTagged(107, more)))).toThrowError(HoldfastError);
    expect(() => decodeSuitEnvelope(Uint8Array.of(...example, 0))).toThrowError(coded('wire.trailing_bytes'));
    expect(() => decodeSuitEnvelope(new Uint8Array(20_000))).toThrowError(coded('wire.too_large'));
  });

  it('is refused at every cut, and with any byte another unless it is that of a value', () => {
    for (let length = 0; length < example.length; length++)
      expect(() => decodeSuitEnvelope(example.subarray(0, length))).toThrowError(HoldfastError);
    fc.assert(
      fc.property(fc.nat(example.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const copy = example.slice();
        copy[at] = (copy[at] ?? 0) ^ change;
        try {
          expect(encodeSuitEnvelope(decodeSuitEnvelope(copy))).toEqual(copy);
        } catch (error) {
          if (!HoldfastError.is(error)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(() => decodeSuitEnvelope(bytes)).toThrowError(HoldfastError);
      }),
    );
  });
});
