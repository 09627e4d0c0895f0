import { encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCbor } from '../cbor/index.ts';
import {
  decodeQuoteEvidence,
  decodeTpmAnswer,
  decodeTpmChallenge,
  decodeTpmEnrolled,
  decodeTpmEnrollmentRequest,
  encodeQuoteEvidence,
  encodeTpmAnswer,
  encodeTpmChallenge,
  encodeTpmEnrolled,
  encodeTpmEnrollmentRequest,
  isQuoteEvidence,
  MAX_QUOTE_EVIDENCE,
} from './index.ts';

const bytes = (fill: number, length = 12) => new Uint8Array(length).fill(fill);
const REQUEST = {
  endorsementCertificate: bytes(1),
  intermediates: [bytes(2)],
  endorsementKey: bytes(3),
  attestationKey: bytes(4),
  deviceKey: bytes(5),
  certification: { attest: bytes(6), signature: bytes(7) },
  csr: bytes(8),
};
const CHALLENGE = { challenge: bytes(1), idObject: bytes(2), encryptedSecret: bytes(3), expiresInSeconds: 120 };
const EVIDENCE = {
  attest: bytes(1),
  signature: bytes(2),
  pcrs: new Map([
    [0, bytes(3, 32)],
    [7, bytes(4, 32)],
  ]),
  eventLog: bytes(5),
};

const MESSAGES = [
  { name: 'request', encoded: encodeTpmEnrollmentRequest(REQUEST), decode: decodeTpmEnrollmentRequest, value: REQUEST },
  { name: 'challenge', encoded: encodeTpmChallenge(CHALLENGE), decode: decodeTpmChallenge, value: CHALLENGE },
  {
    name: 'answer',
    encoded: encodeTpmAnswer({ challenge: bytes(1), secret: bytes(2) }),
    decode: decodeTpmAnswer,
    value: { challenge: bytes(1), secret: bytes(2) },
  },
  {
    name: 'enrolled',
    encoded: encodeTpmEnrolled({ deviceId: 'gw-1', certificate: bytes(1) }),
    decode: decodeTpmEnrolled,
    value: { deviceId: 'gw-1', certificate: bytes(1) },
  },
  { name: 'evidence', encoded: encodeQuoteEvidence(EVIDENCE), decode: decodeQuoteEvidence, value: EVIDENCE },
] as const;

describe.each(MESSAGES)('the $name', ({ encoded, decode, value }) => {
  it('comes back as it was written', () => {
    expect(decode(encoded)).toEqual(value);
  });

  it('is refused at every truncation and with a byte behind it', () => {
    for (let length = 0; length < encoded.length; length++) {
      expect(() => decode(encoded.subarray(0, length))).toThrow(HoldfastError);
    }
    expect(() => decode(Uint8Array.of(...encoded, 0x7d))).toThrow(HoldfastError);
  });

  it('is a value or a coded error, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        try {
          decode(input);
        } catch (error) {
          if (!HoldfastError.is(error)) throw error;
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('messages of a TPM', () => {
  it('have no member twice and none that nobody reads', () => {
    const text = new TextDecoder().decode(encodeTpmAnswer({ challenge: bytes(1), secret: bytes(2) }));
    for (const altered of [text.replace('{', '{"secret":"AAAA",'), text.replace('{', '{"more":1,')]) {
      expect(() => decodeTpmAnswer(encodeUtf8(altered))).toThrow(HoldfastError);
    }
  });

  it('are evidence of a quote by their first byte, and never longer than a log may be', () => {
    expect(isQuoteEvidence(encodeQuoteEvidence(EVIDENCE))).toBe(true);
    expect(isQuoteEvidence(Uint8Array.of(0xd2))).toBe(false);
    expect(() => decodeQuoteEvidence(new Uint8Array(MAX_QUOTE_EVIDENCE + 1))).toThrow(
      expect.objectContaining({ code: 'wire.too_large' }),
    );
  });

  it.each([
    ['another type', encodeCbor(['other', new Map()])],
    ['no map', encodeCbor(['application/vnd.holdfast.tpm-quote+cbor', 1])],
    ['an unknown key', encodeCbor(['application/vnd.holdfast.tpm-quote+cbor', new Map([[9, 1]])])],
    ['nothing in it', encodeCbor(['application/vnd.holdfast.tpm-quote+cbor', new Map()])],
  ])('are refused with %s', (_name, message) => {
    expect(() => decodeQuoteEvidence(message)).toThrow(expect.objectContaining({ code: 'wire.malformed' }));
  });
});
