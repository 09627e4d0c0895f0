import { describe, expect, it } from 'vitest';
import { encodeHex, systemRandom } from '@holdfast/kernel';
import {
  decodeCertificate,
  decodeCrl,
  decodeOcspRequest,
  decodeOcspResponse,
  encodeRevokedEntry,
  OID,
} from '@holdfast/wire/x509';
import { issueCertificate, issueCrl, issueOcspResponse, newSerial, OcspIssuer, verifySignature } from '../index.ts';
import { DAY, NOW, rootKey, rootSigner, root, deviceKey, deviceSigner, deviceInput } from './sample-authority.ts';

const coded = (code: string, field?: string) =>
  expect.objectContaining(field === undefined ? { code } : { code, details: expect.objectContaining({ field }) });

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
