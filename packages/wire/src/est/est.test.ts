import { decodeBase64, decodeHex, encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePem } from '../pem/index.ts';
import {
  decodeCsrAttributes,
  decodeEstBody,
  DEVICE_CSR_ATTRIBUTES,
  encodeCsrAttributes,
  encodeEstBody,
  isMediaType,
} from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });

describe('an EST body', () => {
  it.each(['wrapped', 'single'] as const)('survives a round trip %s', (form) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (der) => {
        expect(decodeEstBody(encodeUtf8(encodeEstBody(der, form)))).toEqual(der);
      }),
      { numRuns: 50 },
    );
  });

  it('has lines of 64 for libest and one line for strongSwan', () => {
    expect(encodeEstBody(new Uint8Array(49), 'wrapped')).toBe(`${'A'.repeat(64)}\nAA==\n`);
    expect(encodeEstBody(new Uint8Array(49), 'single')).toBe(`${'A'.repeat(66)}==\n`);
  });

  it.each([
    ['CRLF', 'MA\r\nA=\r\n'],
    ['spaces and tabs', ' M A\tA = '],
    ['PEM armour', encodePem('CERTIFICATE REQUEST', Uint8Array.of(0x30, 0))],
  ])('tolerates %s', (_name, text) => {
    expect(decodeEstBody(encodeUtf8(text))).toEqual(Uint8Array.of(0x30, 0));
  });

  it.each([
    ['nothing', ''],
    ['white space', ' \r\n'],
    ['missing padding', 'MAA'],
    ['spare bits', 'MAB='],
    ['another alphabet', 'MA-_'],
    ['a NUL', 'MAA=\0'],
    ['a letter outside ASCII', 'MAAÄ'],
    ['two PEM blocks', encodePem('X', Uint8Array.of(1)) + encodePem('X', Uint8Array.of(1))],
  ])('refuses %s', (_name, text) => {
    expect(() => decodeEstBody(encodeUtf8(text))).toThrowError(coded('wire.malformed'));
  });

  it('refuses more than 64 KiB unread', () => {
    expect(() => decodeEstBody(new Uint8Array(64 * 1024 + 1).fill(65))).toThrowError(coded('wire.too_large'));
  });

  it('gives a value or one coded error for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeEstBody(bytes);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('CSR attributes', () => {
  /** RFC 7030 4.5.2: challengePassword, EC key of secp384r1, extensionRequest with macAddress, ecdsa-with-SHA384. */
  const RFC_7030_EXAMPLE =
    'MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw==';

  it('reads the example of RFC 7030 and writes the same bytes', () => {
    const bytes = decodeBase64(RFC_7030_EXAMPLE);
    const attributes = decodeCsrAttributes(bytes);
    expect(attributes).toEqual([
      { kind: 'oid', oid: '1.2.840.113549.1.9.7' },
      { kind: 'attribute', type: '1.2.840.10045.2.1', values: [decodeHex('06052b81040022')] },
      { kind: 'attribute', type: '1.2.840.113549.1.9.14', values: [decodeHex('06072b060101010116')] },
      { kind: 'oid', oid: '1.2.840.10045.4.3.3' },
    ]);
    expect(encodeHex(encodeCsrAttributes(attributes))).toBe(encodeHex(bytes));
  });

  it('asks devices for P-256 and SHA-256', () => {
    expect(decodeCsrAttributes(encodeCsrAttributes(DEVICE_CSR_ATTRIBUTES))).toEqual(DEVICE_CSR_ATTRIBUTES);
  });

  it('refuses every truncation, and a type given twice', () => {
    const bytes = encodeCsrAttributes(DEVICE_CSR_ATTRIBUTES);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeCsrAttributes(bytes.subarray(0, length))).toThrowError(HoldfastError);
    }
    const twice = encodeCsrAttributes([...DEVICE_CSR_ATTRIBUTES, ...DEVICE_CSR_ATTRIBUTES]);
    expect(() => decodeCsrAttributes(twice)).toThrowError(coded('wire.duplicate'));
  });

  it('gives a value or one coded error for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeCsrAttributes(bytes);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('media types', () => {
  it.each([
    ['application/pkcs10', true],
    ['Application/PKCS10; charset=utf-8', true],
    ['application/pkcs10x', false],
    ['', false],
    [undefined, false],
  ])('takes %j for a request: %s', (header, expected) => {
    expect(isMediaType(header, 'application/pkcs10')).toBe(expected);
  });
});
