import { readFileSync } from 'node:fs';
import { concatBytes, encodeHex, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeInteger, encodeNull, encodeOctetString, encodeOid, encodeSequence } from '../asn1/index.ts';
import {
  decodePfx,
  decodeSafeContents,
  encodeAuthenticatedSafe,
  encodePfx,
  encodeSafeContents,
  type Pfx,
  type SafeBag,
} from './index.ts';

const WHOLE = new Uint8Array(readFileSync(new URL('../../vectors/pkcs12/openssl.p12', import.meta.url)));
const SHA256 = encodeSequence(encodeOid('2.16.840.1.101.3.4.2.1'), encodeNull());
const coded = (code: string) => expect.objectContaining({ code });
const total = (decode: () => unknown) => {
  try {
    decode();
  } catch (error) {
    expect(HoldfastError.is(error)).toBe(true);
  }
};
const again = ({ contents, mac }: Pfx) =>
  encodePfx(encodeAuthenticatedSafe(contents), { ...mac, digestAlgorithm: SHA256 });

describe('a PKCS #12 file', () => {
  it('reads what OpenSSL wrote, and writes the same bytes', () => {
    const pfx = decodePfx(WHOLE);
    expect(pfx.contents.map(({ kind }) => kind)).toEqual(['encrypted', 'plain']);
    expect(pfx.mac).toMatchObject({ iterations: 2048, digestAlgorithm: { oid: '2.16.840.1.101.3.4.2.1' } });
    expect(encodeHex(again(pfx))).toBe(encodeHex(WHOLE));
    const [, keys] = pfx.contents;
    const bags = keys?.kind === 'plain' ? decodeSafeContents(keys.safeContents) : [];
    expect(bags).toMatchObject([{ kind: 'shrouded-key', friendlyName: 'lamp-0001' }]);
    expect(encodeHex(encodeSafeContents(bags))).toBe(
      encodeHex(keys?.kind === 'plain' ? keys.safeContents : new Uint8Array()),
    );
  });

  it('refuses every prefix', () => {
    for (let length = 0; length < WHOLE.length; length += 7) {
      expect(() => decodePfx(WHOLE.subarray(0, length))).toThrowError(HoldfastError);
    }
  });

  it('answers a file with a changed byte, and any bytes, with a value or a coded error', () => {
    fc.assert(
      fc.property(fc.nat({ max: WHOLE.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
        const altered = Uint8Array.from(WHOLE);
        altered[at] = byte;
        total(() =>
          decodePfx(altered).contents.map((each) => each.kind === 'plain' && decodeSafeContents(each.safeContents)),
        );
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        total(() => decodePfx(bytes));
        total(() => decodeSafeContents(bytes));
      }),
    );
  });

  it('reads back the bags it wrote', () => {
    const bag = fc.record(
      {
        kind: fc.constantFrom('certificate' as const, 'shrouded-key' as const),
        value: fc.constantFrom(encodeSequence(encodeInteger(1)), encodeSequence(encodeOctetString(Uint8Array.of(1)))),
        friendlyName: fc.stringMatching(/^[a-zé€ ]{1,20}$/),
        localKeyId: fc.uint8Array({ minLength: 1, maxLength: 32 }),
      },
      { requiredKeys: ['kind', 'value'] },
    );
    const plain = (bags: readonly SafeBag[]) =>
      bags.map((each) => ({
        ...each,
        value: encodeHex(each.value),
        localKeyId: encodeHex(each.localKeyId ?? new Uint8Array()),
      }));
    fc.assert(
      fc.property(fc.array(bag, { maxLength: 6 }), (bags) => {
        expect(plain(decodeSafeContents(encodeSafeContents(bags)))).toEqual(plain(bags));
      }),
      { numRuns: 60 },
    );
  });

  const mac = { digestAlgorithm: SHA256, digest: new Uint8Array(32), salt: new Uint8Array(8), iterations: 1 };
  const bmp = encodeSafeContents([{ kind: 'certificate', value: Uint8Array.of(5, 0), friendlyName: 'a' }]);
  it.each<[string, () => unknown, string]>([
    ['something behind it', () => decodePfx(concatBytes(WHOLE, Uint8Array.of(0))), 'wire.trailing_bytes'],
    ['a megabyte and more', () => decodePfx(new Uint8Array(1024 * 1024 + 1)), 'wire.too_large'],
    [
      'rounds without end',
      () => decodePfx(encodePfx(encodeAuthenticatedSafe([]), { ...mac, iterations: 10_000_001 })),
      'wire.too_large',
    ],
    [
      'a name outside the basic plane',
      () => encodeSafeContents([{ kind: 'certificate', value: bmp, friendlyName: '😀' }]),
      'wire.malformed',
    ],
    [
      'a bag of another kind',
      () =>
        decodeSafeContents(
          encodeSequence(encodeSequence(encodeOid('1.2.840.113549.1.12.10.1.1'), Uint8Array.of(0xa0, 2, 5, 0))),
        ),
      'wire.unsupported',
    ],
  ])('refuses %s', (_name, act, code) => {
    expect(act).toThrowError(coded(code));
  });
});
