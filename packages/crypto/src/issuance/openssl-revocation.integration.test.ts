import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { systemRandom } from '@holdfast/kernel';
import { decodeCertificate, decodeOcspRequest, encodeRevokedEntry } from '@holdfast/wire/x509';
import {
  createSigner,
  generatePrivateKey,
  issueCertificate,
  issueCrl,
  issueOcspResponse,
  newSerial,
  OcspIssuer,
} from '../index.ts';
import {
  crlUri,
  DAY,
  issueLeaf,
  issuing,
  issuingSigner,
  NOW,
  openssl,
  path,
  save,
  validity,
  removeFolder,
} from './sample-openssl.ts';

afterAll(removeFolder);

describe('openssl', () => {
  it('honours our CRL, and finds the shard swapped', async () => {
    const der = await issueLeaf('device-ldevid', []);
    const leaf = save('leaf.pem', 'CERTIFICATE', der);
    const { serialBytes } = decodeCertificate(der);
    const issue = async (uri: string, entries: readonly Uint8Array[]) =>
      save(
        'list.pem',
        'X509 CRL',
        await issueCrl(
          {
            issuer: issuing,
            thisUpdate: NOW - 1000,
            nextUpdate: NOW + DAY,
            entries,
            crlNumber: 1n,
            shard: { uris: [uri], scope: 'user' },
          },
          issuingSigner,
        ),
      );
    const check = (list: string) =>
      openssl(
        'verify',
        '-x509_strict',
        '-crl_check',
        '-CRLfile',
        list,
        '-CAfile',
        path('root.pem'),
        '-untrusted',
        path('issuing.pem'),
        leaf,
      );
    expect(check(await issue(crlUri, []))).toContain('OK');
    const revoked = await issue(crlUri, [encodeRevokedEntry(serialBytes, NOW - 1000, 'keyCompromise')]);
    expect(() => check(revoked)).toThrowError(/certificate revoked/);
    const swapped = await issue('http://crl.test/other', []);
    expect(() => check(swapped)).toThrowError(/unable to get certificate CRL|different CRL scope/i);
  });

  it.each(['-sha1', '-sha256'])('asks and understands our OCSP responder with %s CertIDs', async (hash) => {
    const der = await issueLeaf('device-ldevid', []);
    const { serial } = decodeCertificate(der);
    const leaf = save('leaf.pem', 'CERTIFICATE', der);
    openssl(
      'ocsp',
      hash,
      '-issuer',
      path('issuing.pem'),
      '-cert',
      leaf,
      '-reqout',
      path('request.der'),
      '-no_cert_verify',
    );
    const request = decodeOcspRequest(new Uint8Array(readFileSync(path('request.der'))));
    const [certId] = request.certIds;
    if (certId === undefined) throw new Error('no CertID');
    expect(certId.serial).toBe(serial);
    expect(new OcspIssuer(issuing).matches(certId)).toBe(true);
    const signerKey = await generatePrivateKey('P-256');
    const responder = decodeCertificate(
      await issueCertificate(
        {
          profile: 'ocsp-signer',
          issuer: issuing,
          subjectName: [{ type: 'commonName', value: 'OCSP' }],
          publicKey: signerKey.publicKey,
          serial: newSerial(systemRandom),
          ...validity,
        },
        issuingSigner,
      ),
    );
    const response = await issueOcspResponse(
      {
        responder,
        includeCertificate: true,
        producedAt: NOW,
        responses: [{ certId: certId.raw, status: { kind: 'good' }, thisUpdate: NOW - 1000, nextUpdate: NOW + DAY }],
        ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
      },
      createSigner(signerKey),
    );
    writeFileSync(path('response.der'), response);
    const trust = ['-CAfile', path('root.pem'), '-verify_other', path('issuing.pem')];
    // With its request openssl compares the nonces; by certificate it names the status.
    openssl('ocsp', '-reqin', path('request.der'), '-respin', path('response.der'), ...trust);
    const asked = ['-no_nonce', '-issuer', path('issuing.pem'), hash, '-cert', leaf];
    const out = openssl('ocsp', '-respin', path('response.der'), ...asked, ...trust);
    expect(out).toMatch(/: good/);
  });
});
