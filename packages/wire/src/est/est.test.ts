import { decodeBase64, decodeHex, encodeBase64, encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePem } from '../pem/index.ts';
import {
  decodeCsrAttributes,
  decodeEstBody,
  decodeBasicCredentials,
  deviceCsrAttributes,
  encodeCsrAttributes,
  encodeEstBody,
  encodeMultipart,
  isMediaType,
  MULTIPART_MEDIA,
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

  it.each(['if-present', 'required'] as const)('asks devices for P-256 and SHA-256, binding %s', (binding) => {
    const asked = deviceCsrAttributes(binding);
    expect(decodeCsrAttributes(encodeCsrAttributes(asked))).toEqual(asked);
    const kinds = asked.map((entry) => (entry.kind === 'oid' ? entry.oid : entry.type));
    expect(kinds).toEqual(
      binding === 'required'
        ? ['1.2.840.113549.1.9.7', '1.2.840.10045.4.3.2', '1.2.840.10045.2.1', '1.2.840.113549.1.9.14']
        : ['1.2.840.10045.4.3.2', '1.2.840.10045.2.1', '1.2.840.113549.1.9.14', '1.2.840.113549.1.9.16.2.61'],
    );
  });

  it('lays the template out as RFC 9908 3.4 has it', () => {
    const template = deviceCsrAttributes('if-present').at(-1);
    if (template?.kind !== 'attribute') throw new TypeError('no template');
    const [value = new Uint8Array()] = template.values;
    expect(encodeHex(value)).toBe(
      [
        '3052020100', // version v1(0), no subject
        'a0153013', // subjectPKInfo [0]: an algorithm, no key
        '06072a8648ce3d020106082a8648ce3d030107', // id-ecPublicKey, secp256r1
        'a136303406092a864886f70d01090e3127', // attributes [1]: extensionRequest
        '3025300e0603551d0f0101ff040403020780', // keyUsage, critical: digitalSignature
        '30130603551d25040c300a06082b06010505070302', // extKeyUsage: clientAuth
      ].join(''),
    );
  });

  it('refuses every truncation, and a type given twice', () => {
    const bytes = encodeCsrAttributes(deviceCsrAttributes('if-present'));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeCsrAttributes(bytes.subarray(0, length))).toThrowError(HoldfastError);
    }
    const asked = deviceCsrAttributes('required');
    expect(() => decodeCsrAttributes(encodeCsrAttributes([...asked, ...asked]))).toThrowError(coded('wire.duplicate'));
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

describe('HTTP Basic credentials', () => {
  const header = (text: string, scheme = 'Basic') => `${scheme} ${encodeBase64(encodeUtf8(text))}`;

  it('are those of the example of RFC 7617', () => {
    expect(decodeBasicCredentials('Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==')).toEqual({
      name: 'Aladdin',
      password: 'open sesame',
    });
  });

  it.each([
    ['basic', 'lamp-1:x', { name: 'lamp-1', password: 'x' }],
    ['BASIC', '00:1b:44:x', { name: '00:1b:44', password: 'x' }],
    ['Basic', ':', { name: '', password: '' }],
  ])('are parted by the last colon under %s %j', (scheme, text, expected) => {
    expect(decodeBasicCredentials(header(text, scheme))).toEqual(expected);
  });

  it.each([undefined, '', 'Basic', 'Bearer abc', 'Digest username="x"', 'Basic a b'])('are not in %j', (given) => {
    expect(decodeBasicCredentials(given)).toBeUndefined();
  });

  it.each([
    ['no colon', header('lamp')],
    ['a line break', header('lamp:x\r\ny')],
    ['a NUL', header('lamp\0:x')],
    ['another alphabet', 'Basic bGFt-_=='],
    ['bytes that are no UTF-8', `Basic ${encodeBase64(Uint8Array.of(0xff, 0x3a))}`],
  ])('are refused with %s', (_name, given) => {
    expect(() => decodeBasicCredentials(given)).toThrowError(coded('wire.malformed'));
  });

  it('are refused when they are longer than a kilobyte', () => {
    expect(() => decodeBasicCredentials(header('x'.repeat(1024)))).toThrowError(coded('wire.too_large'));
  });

  it('give a value or one coded error for any header', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        try {
          decodeBasicCredentials(`Basic ${text}`);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('an answer in parts', () => {
  it('has the form of RFC 7030 4.4.2', () => {
    expect(MULTIPART_MEDIA).toBe('multipart/mixed; boundary=holdfast-est-part');
    const parts = [
      { mediaType: 'application/pkcs8', base64: 'AAAA\nBBBB\n' },
      { mediaType: 'application/pkcs7-mime; smime-type=certs-only', base64: 'CCCC\n' },
    ];
    expect(encodeMultipart(parts).split('\r\n')).toEqual([
      '--holdfast-est-part',
      'Content-Type: application/pkcs8',
      'Content-Transfer-Encoding: base64',
      '',
      'AAAA',
      'BBBB',
      '--holdfast-est-part',
      'Content-Type: application/pkcs7-mime; smime-type=certs-only',
      'Content-Transfer-Encoding: base64',
      '',
      'CCCC',
      '--holdfast-est-part--',
      '',
    ]);
  });
});
