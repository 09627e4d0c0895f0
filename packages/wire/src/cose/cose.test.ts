import { decodeHex, encodeHex, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CborValue, cborTagged, encodeCbor } from '../cbor/index.ts';
import { decodeSign1, encodeProtectedHeader, encodeSign1, sign1ToBeSigned } from './index.ts';

/** RFC 9052 appendix C.2.1. */
const RFC9052_C21 = decodeHex(
  'd28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4' +
    'd25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36',
);
const A = Uint8Array.of(0x30, 0x01);
const B = Uint8Array.of(0x30, 0x02);
const header = encodeProtectedHeader('ES256', [A, B]);
const message = encodeSign1(header, Uint8Array.of(1, 2, 3), new Uint8Array(64));

function variant(parts: {
  header?: CborValue;
  unprotected?: CborValue;
  payload?: CborValue;
  signature?: CborValue;
}): Uint8Array {
  const { header: head = header, unprotected = new Map(), payload = A, signature = new Uint8Array(64) } = parts;
  return encodeCbor(cborTagged(18, [head, unprotected, payload, signature]));
}

describe('COSE_Sign1', () => {
  it('reads the example of RFC 9052 C.2.1 and its bytes to be signed', () => {
    const decoded = decodeSign1(RFC9052_C21);
    expect(decoded.algorithm).toBe('ES256');
    expect(new TextDecoder().decode(decoded.payload)).toBe('This is the content.');
    expect(encodeHex(sign1ToBeSigned(decoded.protectedBytes, decoded.payload))).toBe(
      '846a5369676e61747572653143a101264054546869732069732074686520636f6e74656e742e',
    );
  });

  it('survives a round trip with a chain in the protected header', () => {
    const decoded = decodeSign1(message);
    expect(decoded.chain).toEqual([A, B]);
    expect(decoded.payload).toEqual(Uint8Array.of(1, 2, 3));
    expect(encodeSign1(decoded.protectedBytes, decoded.payload, decoded.signature)).toEqual(message);
    expect(decodeSign1(encodeSign1(encodeProtectedHeader('ES256', [A]), A, B)).chain).toEqual([A]);
  });

  it('takes the message bare, in tag 18, and in tag 61 around tag 18 only', () => {
    const parts: CborValue = [header, new Map(), A, new Uint8Array(64)];
    for (const good of [parts, cborTagged(18, parts), cborTagged(61, cborTagged(18, parts))]) {
      expect(decodeSign1(encodeCbor(good)).payload).toEqual(A);
    }
    for (const bad of [cborTagged(61, parts), cborTagged(18, cborTagged(18, parts)), cborTagged(17, parts)]) {
      expect(() => decodeSign1(encodeCbor(bad))).toThrow(HoldfastError);
    }
  });

  it.each<[string, Uint8Array]>([
    ['a label in both headers', variant({ unprotected: new Map<number, CborValue>([[1, -7]]) })],
    [
      'the algorithm in the unprotected header alone',
      variant({ header: new Uint8Array(), unprotected: new Map<number, CborValue>([[1, -7]]) }),
    ],
    ['an algorithm outside the table', variant({ header: encodeCbor(new Map<number, CborValue>([[1, -65535]])) })],
    [
      'a critical header',
      variant({
        header: encodeCbor(
          new Map<number, CborValue>([
            [1, -7],
            [2, [99]],
          ]),
        ),
      }),
    ],
    ['a detached payload', variant({ payload: null })],
    ['a text signature', variant({ signature: 'x' })],
    [
      'a chain that is an array of one',
      variant({ unprotected: new Map<number, CborValue>([[33, [A]]]), header: encodeProtectedHeader('ES256', []) }),
    ],
    ['a chain of seven', variant({ header: encodeProtectedHeader('ES256', [A, A, A, A, A, A, A]) })],
    ['a protected header that is not a map', variant({ header: encodeCbor(1) })],
    ['five parts', encodeCbor([header, new Map(), A, A, A])],
  ])('refuses %s', (_name, bytes) => {
    expect(() => decodeSign1(bytes)).toThrow(HoldfastError);
  });

  it('refuses every truncation', () => {
    for (let length = 0; length < message.length; length++) {
      expect(() => decodeSign1(message.subarray(0, length))).toThrow(HoldfastError);
    }
  });

  it('gives a value or one coded error for altered messages', () => {
    fc.assert(
      fc.property(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const altered = message.slice();
        altered[at] = (altered[at] ?? 0) ^ flip;
        try {
          decodeSign1(altered);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
