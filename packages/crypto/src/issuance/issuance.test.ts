import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeHex, seededRandom, systemRandom } from '@holdfast/kernel';
import { encodeBitString, encodeOid, encodeSequence } from '@holdfast/wire/asn1';
import {
  attributeTexts,
  type Certificate,
  decodeCertificate,
  decodeCrl,
  decodeOcspRequest,
  decodeOcspResponse,
  encodeAlgorithm,
  encodeBasicConstraints,
  encodeCertificationRequestInfo,
  encodeExtension,
  encodeKeyUsage,
  encodeName,
  encodeRevokedEntry,
  encodeSigned,
  OID,
} from '@holdfast/wire/x509';
import {
  createCsr,
  createSigner,
  encodeSignatureAlgorithm,
  fingerprint,
  generatePrivateKey,
  issueCertificate,
  issueCrl,
  issueOcspResponse,
  newSerial,
  OcspIssuer,
  validityFor,
  verifyCsr,
  verifySignature,
} from '../index.ts';

const coded = (code: string, field?: string) =>
  expect.objectContaining(field === undefined ? { code } : { code, details: expect.objectContaining({ field }) });
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);

const rootKey = await generatePrivateKey('P-256');
const rootSigner = createSigner(rootKey);
const root = decodeCertificate(
  await issueCertificate(
    {
      profile: 'root',
      subjectName: [{ type: 'commonName', value: 'Test Root' }],
      publicKey: rootKey.publicKey,
      serial: newSerial(systemRandom),
      ...validityFor({ now: NOW, lifetimeMs: 7300 * DAY }),
    },
    rootSigner,
  ),
);
const deviceKey = await generatePrivateKey('P-256');
const deviceSigner = createSigner(deviceKey);

function deviceInput(issuer: Certificate = root) {
  return {
    profile: 'device-ldevid' as const,
    issuer,
    subjectName: [{ type: 'commonName' as const, value: 'device-1' }],
    publicKey: deviceKey.publicKey,
    serial: newSerial(systemRandom),
    ...validityFor({ now: NOW, lifetimeMs: 90 * DAY, issuer: issuer.validity }),
  };
}

describe('certificates', () => {
  it("say what the profile says, with the registry's name, and verify under the issuer", async () => {
    const der = await issueCertificate(
      { ...deviceInput(), san: [{ kind: 'uri', text: 'urn:holdfast:t1:device-1' }], ocspUris: ['http://o.test'] },
      rootSigner,
    );
    const decoded = decodeCertificate(der);
    expect(decoded.known.basicConstraints).toEqual({ ca: false, pathLen: undefined });
    expect([...(decoded.known.keyUsage ?? [])]).toEqual(['digitalSignature']);
    expect(decoded.known.extKeyUsage).toEqual([OID.clientAuth]);
    expect(decoded.known.subjectAltName).toEqual([{ kind: 'uri', text: 'urn:holdfast:t1:device-1' }]);
    expect(decoded.serialBytes.length).toBe(20);
    const node = new X509Certificate(der);
    expect(node.subject).toBe('CN=device-1');
    expect(node.ca).toBe(false);
    expect(node.verify(rootKey.publicKey.keyObject)).toBe(true);
    expect(node.checkIssued(new X509Certificate(root.raw))).toBe(true);
    expect(node.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(fingerprint(der));
  });

  it.each([
    ['2049-12-31T23:59:59Z', 'Dec 31 23:59:59 2049 GMT'],
    ['2050-01-01T00:00:00Z', 'Jan  1 00:00:00 2050 GMT'],
    ['9999-12-31T23:59:59Z', 'Dec 31 23:59:59 9999 GMT'],
  ])('end at %s exactly, whichever time type that takes', async (end, text) => {
    const notAfter = Date.parse(end);
    const input = { ...deviceInput(), profile: 'root' as const, publicKey: rootKey.publicKey, notAfter };
    const der = await issueCertificate({ ...input, issuer: undefined as never }, rootSigner);
    expect(decodeCertificate(der).validity.notAfter).toBe(notAfter);
    expect(new X509Certificate(der).validTo).toBe(text);
  });

  it.each([
    ['outlive the issuer', { notAfter: root.validity.notAfter + 1000 }, 'validity'],
    ['begin before the issuer', { notBefore: root.validity.notBefore - 1000 }, 'validity'],
    ['end before they begin', { notAfter: NOW - 365 * DAY, notBefore: NOW - DAY / 25 }, 'validity'],
    ['have a short serial', { serial: Uint8Array.of(1, 2, 3) }, 'serial'],
    ['have a negative serial', { serial: new Uint8Array(20).fill(0x80) }, 'serial'],
    ["hold the authority's own key", { publicKey: rootKey.publicKey }, 'public key'],
    ['be a server without a name', { profile: 'server' as const }, 'san'],
  ])('are refused when they would %s', async (_name, change, field) => {
    await expect(issueCertificate({ ...deviceInput(), ...change }, rootSigner)).rejects.toThrowError(
      coded('crypto.issue_refused', field),
    );
  });

  it("are not signed by a key that is not the issuer's, nor under a leaf", async () => {
    await expect(issueCertificate(deviceInput(), deviceSigner)).rejects.toThrowError(
      coded('crypto.issue_refused', 'signer'),
    );
    const leaf = decodeCertificate(await issueCertificate(deviceInput(), rootSigner));
    const other = await generatePrivateKey('P-256');
    await expect(
      issueCertificate({ ...deviceInput(leaf), publicKey: other.publicKey }, deviceSigner),
    ).rejects.toThrowError(coded('crypto.issue_refused', 'issuer'));
  });

  it("have dates inside the issuer's, backdated for slow clocks", () => {
    const issuer = { notBefore: NOW - 1000, notAfter: NOW + DAY };
    expect(validityFor({ now: NOW + 999, lifetimeMs: 2 * DAY, issuer })).toEqual(issuer);
    expect(validityFor({ now: NOW + 999, lifetimeMs: DAY })).toEqual({
      notBefore: NOW - 3_600_000,
      notAfter: NOW + DAY,
    });
    expect(() => validityFor({ now: NOW + 2 * DAY, lifetimeMs: DAY, issuer })).toThrowError(
      coded('crypto.issue_refused'),
    );
  });

  it('have serials that are positive, 20 octets long and never alike', () => {
    const random = seededRandom(7);
    const serials = Array.from({ length: 1000 }, () => newSerial(random));
    expect(serials.every((serial) => serial.length === 20 && (serial[0] ?? 0) >= 0x40 && (serial[0] ?? 0) < 0x80)).toBe(
      true,
    );
    expect(new Set(serials.map(encodeHex)).size).toBe(1000);
  });
});

describe('certification requests', () => {
  it('prove possession and show what they ask for', async () => {
    const der = await createCsr(
      {
        subject: [{ type: 'commonName', value: 'other' }],
        subjectAltName: [{ kind: 'dns', text: 'evil.test' }],
        challengePassword: 'AAAA',
      },
      deviceSigner,
    );
    const request = await verifyCsr(der);
    expect(attributeTexts(request.info.subject, OID.commonName)).toEqual(['other']);
    expect(request.requestedNames).toEqual([{ kind: 'dns', text: 'evil.test' }]);
    expect(request.asksForAuthority).toBe(false);
    expect(request.info.challengePassword).toBe('AAAA');
    expect(request.publicKey.spki).toEqual(deviceKey.publicKey.spki);
  });

  it('are refused with a code when any one byte is flipped', async () => {
    const der = await createCsr({ subject: [{ type: 'commonName', value: 'device-1' }] }, deviceSigner);
    const codes = new Set<string>();
    for (let at = 0; at < der.length; at++) {
      const flipped = Uint8Array.from(der);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await expect(
        verifyCsr(flipped).catch((error: { code: string }) => Promise.reject(codes.add(error.code))),
      ).rejects.toBeDefined();
    }
    expect([...codes].every((code) => /^(wire|crypto)\./.test(code))).toBe(true);
    expect(codes.has('crypto.bad_signature')).toBe(true);
  });

  it('show a wish for authority, which issuing does not copy', async () => {
    const extensions = [
      encodeExtension(OID.basicConstraints, true, encodeBasicConstraints({ ca: true, pathLen: undefined })),
      encodeExtension(OID.keyUsage, true, encodeKeyUsage(['keyCertSign'])),
    ];
    const tbs = encodeCertificationRequestInfo({
      subject: encodeName([{ type: 'commonName', value: 'dev1' }]),
      spki: deviceKey.publicKey.spki,
      extensions,
    });
    const algorithm = encodeSignatureAlgorithm(deviceSigner.algorithm);
    const request = await verifyCsr(encodeSigned(tbs, algorithm, await deviceSigner.sign(tbs)));
    expect(request.asksForAuthority).toBe(true);
    const issued = decodeCertificate(
      await issueCertificate({ ...deviceInput(), publicKey: request.publicKey }, rootSigner),
    );
    expect(issued.known.basicConstraints?.ca).toBe(false);
    expect(attributeTexts(issued.subject, OID.commonName)).toEqual(['device-1']);
  });

  it('by SHA-1, or by an algorithm of another kind of key, are refused', async () => {
    const tbs = encodeCertificationRequestInfo({ subject: encodeName([]), spki: deviceKey.publicKey.spki });
    const signature = await deviceSigner.sign(tbs);
    for (const oid of ['1.2.840.10045.4.1', OID.sha256WithRsa, OID.ed25519]) {
      await expect(verifyCsr(encodeSigned(tbs, encodeAlgorithm(oid), signature))).rejects.toThrowError(
        coded('crypto.unsupported_algorithm'),
      );
    }
  });

  it('with an explicit curve, a compressed point or a point off its curve hold no key', async () => {
    const { key } = { key: deviceKey.publicKey.spki.subarray(-65) };
    const off = Uint8Array.from(key);
    off[64] = (off[64] ?? 0) ^ 1;
    const named = encodeOid(OID.secp256r1);
    for (const [parameters, point] of [
      [encodeSequence(), key],
      [named, Uint8Array.of(2, ...key.subarray(1, 33))],
      [named, off],
      [named, Uint8Array.of(0)],
    ] as const) {
      const spki = encodeSequence(encodeAlgorithm(OID.ecPublicKey, parameters), encodeBitString(point));
      const tbs = encodeCertificationRequestInfo({ subject: encodeName([]), spki });
      const der = encodeSigned(tbs, encodeAlgorithm(OID.ecdsaWithSha256), await deviceSigner.sign(tbs));
      await expect(verifyCsr(der)).rejects.toThrowError(coded('crypto.bad_key'));
    }
  });
});

describe('revocation lists', () => {
  it('carry entries, number and shard address, and verify under the issuer', async () => {
    const serial = newSerial(systemRandom);
    const der = await issueCrl(
      {
        issuer: root,
        thisUpdate: NOW,
        nextUpdate: NOW + DAY,
        entries: [
          encodeRevokedEntry(serial, NOW, 'keyCompromise'),
          encodeRevokedEntry(newSerial(systemRandom), NOW, 'unspecified'),
        ],
        crlNumber: 7n,
        shard: { uris: ['http://crl.test/3'], scope: 'user' },
      },
      rootSigner,
    );
    const crl = decodeCrl(der);
    expect(crl.revoked.map(({ reason }) => reason)).toEqual(['keyCompromise', 'unspecified']);
    expect(crl.revoked[0]?.serial).toBe(encodeHex(serial));
    expect(crl.crlNumber).toBe(7n);
    expect(crl.issuingDistributionPoint).toMatchObject({
      fullName: [{ kind: 'uri', text: 'http://crl.test/3' }],
      onlyUserCerts: true,
    });
    expect(crl.extensions.find(({ oid }) => oid === OID.issuingDistributionPoint)?.critical).toBe(true);
    expect(verifySignature('ecdsa-p256-sha256', rootKey.publicKey, crl.tbs, crl.signature)).toBe(true);
  });

  it('as a delta name their base, and an empty list has no entries field', async () => {
    const input = {
      issuer: root,
      thisUpdate: NOW,
      nextUpdate: NOW + DAY,
      entries: [],
      crlNumber: 9n,
      baseCrlNumber: 7n,
    };
    const crl = decodeCrl(await issueCrl(input, rootSigner));
    expect(crl.baseCrlNumber).toBe(7n);
    expect(crl.revoked).toEqual([]);
    await expect(issueCrl(input, deviceSigner)).rejects.toThrowError(coded('crypto.issue_refused'));
  });
});

describe('OCSP', () => {
  const issuer = new OcspIssuer(root);

  it('recognises its issuer by SHA-1 and SHA-256 and echoes the nonce', async () => {
    for (const hash of [OID.sha1, OID.sha256] as const) {
      const { certIds, nonce } = decodeOcspRequest(issuer.request('40aa', systemRandom));
      expect(certIds[0]?.serial).toBe('40aa');
      const certId = issuer.certId('40aa', hash);
      const response = decodeOcspResponse(
        await issueOcspResponse(
          {
            responder: root,
            includeCertificate: false,
            producedAt: NOW,
            responses: [
              {
                certId,
                status: { kind: 'revoked', revokedAt: NOW, reason: 'superseded' },
                thisUpdate: NOW,
                nextUpdate: NOW + DAY,
              },
            ],
            ...(nonce === undefined ? {} : { nonce }),
          },
          rootSigner,
        ),
      );
      if (response.kind !== 'basic') throw new Error('not basic');
      const [single] = response.responses;
      expect(single?.status).toEqual({ kind: 'revoked', revokedAt: NOW, reason: 'superseded' });
      expect(single !== undefined && issuer.matches(single.id)).toBe(true);
      expect(response.nonce).toEqual(nonce);
      expect(verifySignature('ecdsa-p256-sha256', rootKey.publicKey, response.responseData, response.signature)).toBe(
        true,
      );
    }
  });

  it('does not answer for an authority of the same name with another key', async () => {
    const twin = await issueCertificate(
      {
        ...deviceInput(),
        profile: 'root',
        publicKey: deviceKey.publicKey,
        subjectName: [{ type: 'commonName', value: 'Test Root' }],
        issuer: undefined as never,
      },
      deviceSigner,
    );
    const [certId] = decodeOcspRequest(new OcspIssuer(decodeCertificate(twin)).request('01', systemRandom)).certIds;
    expect(certId !== undefined && issuer.matches(certId)).toBe(false);
  });
});
