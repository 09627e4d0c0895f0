import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/kernel';
import { encodeContext, encodeOctetString, encodeOid, encodeSequence, encodeSetOf, encodeTlv } from '../asn1/index.ts';
import { decodeCertsOnly, encodeCertsOnly } from '../cms/index.ts';
import {
  decodeCertificationRequest,
  decodeCrl,
  decodeIssuingDistributionPoint,
  decodeMultiTcbInfo,
  decodeOcspRequest,
  decodeOcspResponse,
  decodeOpenDiceInput,
  decodePrivateKeyInfo,
  decodeSpki,
  decodeTcbInfo,
  encodeAlgorithm,
  encodeCertificationRequestInfo,
  encodeEcSpki,
  encodeEdwardsSpki,
  encodeExtension,
  encodeIssuingDistributionPoint,
  encodeName,
  encodeOcspCertId,
  encodeOcspError,
  encodeOcspRequest,
  encodeOcspResponse,
  encodeOcspResponseData,
  encodeOpenDiceInput,
  encodePrivateKeyInfo,
  encodeRevokedEntry,
  encodeRsaSpki,
  encodeSigned,
  encodeTbsCrl,
  encodeTcbInfo,
  OID,
  publicKeyKind,
} from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });
const algorithm = encodeAlgorithm(OID.ecdsaWithSha256);
const name = encodeName([{ type: 'commonName', value: 'x' }]);
const point = new Uint8Array(65).fill(7);
point[0] = 4;
const spki = encodeEcSpki('P-256', point);
const bytes = (value: number, length = 20) => new Uint8Array(length).fill(value);
const request = encodeSigned(
  encodeCertificationRequestInfo({
    subject: name,
    spki,
    challengePassword: 'abc=',
    extensions: [encodeExtension('1.2.3', false, bytes(1))],
  }),
  algorithm,
  bytes(1),
);
const crl = encodeSigned(
  encodeTbsCrl({
    algorithm,
    issuer: name,
    thisUpdate: 0,
    nextUpdate: 1000,
    entries: [encodeRevokedEntry(bytes(0x41), 0, 'removeFromCRL'), encodeRevokedEntry(bytes(0x42), 0, 'unspecified')],
    authorityKeyIdentifier: bytes(3),
    crlNumber: 2n ** 100n,
    baseCrlNumber: 3n,
    shard: { uris: ['http://c.test/1'], scope: 'all' },
    freshestCrlUris: ['http://c.test/d'],
  }),
  algorithm,
  bytes(1),
);
const certId = encodeOcspCertId({
  hashAlgorithm: OID.sha1,
  issuerNameHash: bytes(1),
  issuerKeyHash: bytes(2),
  serial: bytes(0x80),
});
const ocspRequest = encodeOcspRequest(certId, bytes(9, 32));
const responseData = encodeOcspResponseData({
  responderKeyHash: bytes(4),
  producedAt: 0,
  responses: [
    { certId, status: { kind: 'good' }, thisUpdate: 0, nextUpdate: undefined },
    { certId, status: { kind: 'unknown' }, thisUpdate: 0, nextUpdate: 1000 },
    { certId, status: { kind: 'revoked', revokedAt: 0, reason: 'certificateHold' }, thisUpdate: 0, nextUpdate: 1000 },
  ],
});
const ocspResponse = encodeOcspResponse({
  responseData,
  algorithm,
  signature: bytes(1),
  certificates: [encodeSequence()],
});
const tcb = {
  vendor: 'v',
  model: 'm',
  version: '1',
  svn: 300,
  layer: 1,
  index: 0,
  fwids: [{ hashAlgorithm: OID.sha256, digest: bytes(5, 32) }],
  flags: [1, 3],
  vendorInfo: bytes(6),
  type: bytes(7),
};
const dice = {
  codeHash: bytes(1, 64),
  codeDescriptor: bytes(2),
  configurationHash: bytes(3, 64),
  configurationDescriptor: bytes(4),
  authorityHash: bytes(5, 64),
  authorityDescriptor: bytes(6),
  mode: 'recovery',
  profileName: 'p',
} as const;

/** Each message with what decodes it. */
const MESSAGES: readonly [string, Uint8Array, (input: Uint8Array) => unknown][] = [
  ['a request', request, decodeCertificationRequest],
  ['a CRL', crl, decodeCrl],
  ['an OCSP request', ocspRequest, decodeOcspRequest],
  ['an OCSP response', ocspResponse, decodeOcspResponse],
  ['a certs-only message', encodeCertsOnly([encodeSequence(name), encodeSequence()]), decodeCertsOnly],
  ['a TcbInfo', encodeTcbInfo(tcb), decodeTcbInfo],
  ['a DICE input', encodeOpenDiceInput(dice), decodeOpenDiceInput],
  ['a private key frame', encodePrivateKeyInfo(algorithm, bytes(1)), decodePrivateKeyInfo],
  ['an SPKI', spki, (input) => publicKeyKind(decodeSpki(input))],
];

describe.each(MESSAGES)('%s', (_name, whole, decode) => {
  it('is refused at every shorter length and with a byte more', () => {
    expect(decode(whole)).toBeDefined();
    for (let length = 0; length < whole.length; length++) {
      expect(() => decode(whole.subarray(0, length))).toThrowError(HoldfastError);
    }
    expect(() => decode(Uint8Array.of(...whole, 0))).toThrowError(HoldfastError);
  });

  it('gives a value or one coded error after any change and for arbitrary bytes', () => {
    const total = (input: Uint8Array) => {
      try {
        decode(input);
      } catch (error) {
        expect(HoldfastError.is(error)).toBe(true);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), total), { numRuns: 50 });
    for (let at = 0; at < whole.length; at++) {
      for (const change of [1, 0x20, 0x80, 0xff]) {
        const changed = Uint8Array.from(whole);
        changed[at] = (changed[at] ?? 0) ^ change;
        total(changed);
      }
    }
  });
});

describe('messages', () => {
  it('come back from their fields', () => {
    const csr = decodeCertificationRequest(request);
    expect(csr).toMatchObject({ challengePassword: 'abc=', requestedExtensions: [{ oid: '1.2.3', critical: false }] });
    expect(csr.spki.raw).toEqual(spki);
    expect(decodeCrl(crl)).toMatchObject({ crlNumber: 2n ** 100n, baseCrlNumber: 3n, thisUpdate: 0, nextUpdate: 1000 });
    expect(decodeOcspRequest(ocspRequest)).toMatchObject({
      certIds: [{ serial: '80'.repeat(20) }],
      nonce: encodeOctetString(bytes(9, 32)),
    });
    expect(decodeOcspResponse(ocspResponse)).toMatchObject({
      kind: 'basic',
      responses: [
        { status: { kind: 'good' } },
        { status: { kind: 'unknown' } },
        { status: { kind: 'revoked', reason: 'certificateHold' } },
      ],
    });
    expect(decodeOcspResponse(encodeOcspError('malformedRequest'))).toEqual({ kind: 'error', status: 1 });
    expect(decodeTcbInfo(encodeTcbInfo(tcb))).toEqual(tcb);
    expect(decodeMultiTcbInfo(encodeSequence(encodeTcbInfo(tcb), encodeTcbInfo(tcb)))).toEqual([tcb, tcb]);
    expect(decodeOpenDiceInput(encodeOpenDiceInput(dice))).toEqual(dice);
    expect(decodeIssuingDistributionPoint(encodeIssuingDistributionPoint(['http://a'], 'ca'))).toMatchObject({
      onlyCaCerts: true,
      onlyUserCerts: false,
    });
  });

  it.each([0, 129])('an OCSP nonce of %i octets is refused', (length) => {
    expect(() => decodeOcspRequest(encodeOcspRequest(certId, bytes(1, length)))).toThrowError(coded('wire.malformed'));
  });

  it('a request with an attribute twice, or two values in one, is refused', () => {
    const attribute = encodeSequence(encodeOid(OID.challengePassword), encodeSetOf(encodeTlv(0x13, Uint8Array.of(65))));
    const two = encodeSequence(
      encodeOid(OID.challengePassword),
      encodeSetOf(encodeTlv(0x13), encodeTlv(0x13, Uint8Array.of(65))),
    );
    const withAttributes = (...attributes: readonly Uint8Array[]) =>
      encodeSigned(
        encodeSequence(Uint8Array.of(2, 1, 0), name, spki, encodeContext(0, ...attributes)),
        algorithm,
        bytes(1),
      );
    expect(() => decodeCertificationRequest(withAttributes(attribute, attribute))).toThrowError(
      coded('wire.duplicate'),
    );
    expect(() => decodeCertificationRequest(withAttributes(two))).toThrowError(coded('wire.malformed'));
    expect(decodeCertificationRequest(withAttributes(attribute)).challengePassword).toBe('A');
  });

  it('a request over 16 KiB is refused before it is read', () => {
    expect(() => decodeCertificationRequest(new Uint8Array(16_385))).toThrowError(coded('wire.too_large'));
  });
});

describe('public keys', () => {
  it.each<[string, Uint8Array]>([
    [
      'an explicit curve',
      encodeSequence(encodeAlgorithm(OID.ecPublicKey, encodeSequence()), encodeTlv(3, Uint8Array.of(0), point)),
    ],
    ['no curve', encodeSequence(encodeAlgorithm(OID.ecPublicKey), encodeTlv(3, Uint8Array.of(0), point))],
    [
      'a short point',
      encodeSequence(
        encodeAlgorithm(OID.ecPublicKey, encodeOid(OID.secp256r1)),
        encodeTlv(3, Uint8Array.of(0), point.subarray(1)),
      ),
    ],
    [
      'RSA parameters other than NULL',
      encodeSequence(encodeSequence(encodeOid(OID.rsaEncryption)), encodeTlv(3, Uint8Array.of(0), encodeSequence())),
    ],
    ['a long Ed25519 key', encodeSequence(encodeAlgorithm(OID.ed25519), encodeTlv(3, Uint8Array.of(0), bytes(1, 33)))],
  ])('with %s are refused', (_name, der) => {
    expect(() => publicKeyKind(decodeSpki(der))).toThrowError(coded('wire.malformed'));
  });

  it('say what they are', () => {
    const rsa = encodeRsaSpki({ modulus: bytes(0xc1, 256), exponent: Uint8Array.of(1, 0, 1) });
    expect(publicKeyKind(decodeSpki(rsa))).toMatchObject({ kind: 'rsa', modulusBits: 2048, exponent: 65_537n });
    const short = encodeRsaSpki({ modulus: bytes(0x01, 256), exponent: Uint8Array.of(3) });
    expect(publicKeyKind(decodeSpki(short))).toMatchObject({ modulusBits: 2041 });
    expect(publicKeyKind(decodeSpki(encodeEdwardsSpki('x25519', bytes(1, 32))))).toMatchObject({ kind: 'x25519' });
    expect(publicKeyKind(decodeSpki(encodeSequence(encodeAlgorithm('1.2.3'), Uint8Array.of(3, 1, 0))))).toEqual({
      kind: 'other',
      algorithm: '1.2.3',
    });
  });
});
