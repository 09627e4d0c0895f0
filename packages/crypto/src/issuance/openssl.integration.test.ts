import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemRandom } from '@holdfast/kernel';
import { encodeCertsOnly } from '@holdfast/wire/cms';
import { encodePem } from '@holdfast/wire/pem';
import {
  type Certificate,
  type CertificateProfile,
  decodeCertificate,
  decodeCertificationRequest,
  decodeOcspRequest,
  encodeExtension,
  encodeName,
  encodeOpenDiceInput,
  encodeRevokedEntry,
  encodeTcbInfo,
  type GeneralName,
  OID,
} from '@holdfast/wire/x509';
import {
  createCsr,
  createSigner,
  generatePrivateKey,
  issueCertificate,
  issueCrl,
  issueOcspResponse,
  newSerial,
  NO_EXPIRY,
  OcspIssuer,
  verifyCsr,
} from '../index.ts';

const DAY = 86_400_000;
const NOW = Date.now();
const validity = { notBefore: NOW - DAY, notAfter: NOW + 30 * DAY };
const crlUri = 'http://crl.test/issuing';
let folder = '';
let root: Certificate;
let issuing: Certificate;
const [rootKey, issuingKey, leafKey] = await Promise.all([
  generatePrivateKey('P-256'),
  generatePrivateKey('P-256'),
  generatePrivateKey('P-256'),
]);
const issuingSigner = createSigner(issuingKey);

const path = (name: string) => join(folder, name);
const save = (name: string, label: string, ...ders: readonly Uint8Array[]) => {
  writeFileSync(path(name), ders.map((der) => encodePem(label, der)).join(''));
  return path(name);
};
const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });

function issueLeaf(profile: CertificateProfile, san: readonly GeneralName[]): Promise<Uint8Array> {
  return issueCertificate(
    {
      profile,
      issuer: issuing,
      subjectName: [{ type: 'commonName', value: `${profile} 1` }],
      san,
      publicKey: leafKey.publicKey,
      serial: newSerial(systemRandom),
      ...validity,
      crlUris: [crlUri],
      ocspUris: ['http://ocsp.test'],
      issuerUris: ['http://ca.test/issuing.cer'],
    },
    issuingSigner,
  );
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-x509-'));
  root = decodeCertificate(
    await issueCertificate(
      {
        profile: 'root',
        subjectName: [
          { type: 'organization', value: 'Größe & Co' },
          { type: 'commonName', value: 'Root' },
        ],
        publicKey: rootKey.publicKey,
        serial: newSerial(systemRandom),
        notBefore: validity.notBefore,
        notAfter: NO_EXPIRY,
      },
      createSigner(rootKey),
    ),
  );
  issuing = decodeCertificate(
    await issueCertificate(
      {
        profile: 'issuing',
        issuer: root,
        subjectName: [{ type: 'commonName', value: 'Issuing' }],
        publicKey: issuingKey.publicKey,
        serial: newSerial(systemRandom),
        notBefore: validity.notBefore,
        notAfter: NOW + 3650 * DAY,
        nameConstraints: {
          permitted: [
            { kind: 'uri', text: 'acme.test' },
            { kind: 'dns', text: 'acme.test' },
          ],
          excluded: [],
        },
      },
      createSigner(rootKey),
    ),
  );
  save('root.pem', 'CERTIFICATE', root.raw);
  save('issuing.pem', 'CERTIFICATE', issuing.raw);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('openssl', () => {
  it.each<[CertificateProfile, readonly GeneralName[], readonly string[]]>([
    ['device-ldevid', [{ kind: 'uri', text: 'https://acme.test/device/1' }], ['-purpose', 'sslclient']],
    ['device-idevid', [], []],
    ['claim', [], ['-purpose', 'sslclient']],
    ['operator', [], ['-purpose', 'sslclient']],
    [
      'server',
      [
        { kind: 'dns', text: 'hub.acme.test' },
        { kind: 'ip', bytes: Uint8Array.of(127, 0, 0, 1) },
      ],
      ['-purpose', 'sslserver', '-verify_hostname', 'hub.acme.test'],
    ],
    ['ocsp-signer', [], ['-purpose', 'ocsphelper']],
  ])('verifies a %s certificate strictly', async (profile, san, args) => {
    const leaf = save('leaf.pem', 'CERTIFICATE', await issueLeaf(profile, san));
    const out = openssl(
      'verify',
      '-x509_strict',
      '-CAfile',
      path('root.pem'),
      '-untrusted',
      path('issuing.pem'),
      ...args,
      leaf,
    );
    expect(out).toContain('OK');
  });

  it("sees the tenant's name constraints broken", async () => {
    const leaf = save('leaf.pem', 'CERTIFICATE', await issueLeaf('server', [{ kind: 'dns', text: 'hub.evil.test' }]));
    expect(() =>
      openssl('verify', '-x509_strict', '-CAfile', path('root.pem'), '-untrusted', path('issuing.pem'), leaf),
    ).toThrowError(/permitted subtree violation/);
  });

  it('verifies an attestation chain of layers, told to ignore their extension', async () => {
    const dice = encodeExtension(
      OID.openDiceInput,
      true,
      encodeOpenDiceInput({ codeHash: new Uint8Array(32), mode: 'normal' }),
    );
    const tcb = encodeExtension(OID.tcbInfo, false, encodeTcbInfo({ vendor: 'acme', svn: 3, fwids: [], flags: [] }));
    const layerKey = await generatePrivateKey('P-256');
    const base = { serial: newSerial(systemRandom), notBefore: validity.notBefore, notAfter: NO_EXPIRY };
    const layer = decodeCertificate(
      await issueCertificate(
        {
          ...base,
          profile: 'attestation-layer',
          issuer: root,
          subjectName: [{ type: 'serialNumber', value: '0a' }],
          publicKey: layerKey.publicKey,
        },
        createSigner(rootKey),
      ),
    );
    const leaf = await issueCertificate(
      {
        ...base,
        profile: 'attestation-leaf',
        issuer: layer,
        subjectName: [{ type: 'serialNumber', value: '0b' }],
        publicKey: leafKey.publicKey,
        extensions: [dice, tcb],
      },
      createSigner(layerKey),
    );
    expect(decodeCertificate(leaf).extensions.some(({ oid }) => oid === OID.openDiceInput)).toBe(true);
    const args = ['verify', '-ignore_critical', '-x509_strict', '-CAfile', path('root.pem')];
    const out = openssl(
      ...args,
      '-untrusted',
      save('layer.pem', 'CERTIFICATE', layer.raw),
      save('leaf.pem', 'CERTIFICATE', leaf),
    );
    expect(out).toContain('OK');
  });

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

  it('makes requests we accept, and accepts ours', async () => {
    for (const args of [
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      ['-newkey', 'rsa:2048'],
      ['-newkey', 'ed25519'],
    ]) {
      openssl(
        'req',
        '-new',
        ...args,
        '-nodes',
        '-keyout',
        path('key.pem'),
        '-subj',
        '/CN=dev',
        '-addext',
        'subjectAltName=DNS:x.test',
        '-outform',
        'DER',
        '-out',
        path('csr.der'),
      );
      const request = await verifyCsr(new Uint8Array(readFileSync(path('csr.der'))));
      expect(request.requestedNames).toEqual([{ kind: 'dns', text: 'x.test' }]);
    }
    const csr = await createCsr(
      { subject: [{ type: 'commonName', value: 'dev' }], challengePassword: 'abc' },
      createSigner(leafKey),
    );
    expect(openssl('req', '-verify', '-noout', '-text', '-in', save('csr.pem', 'CERTIFICATE REQUEST', csr))).toContain(
      'challengePassword',
    );
    expect(decodeCertificationRequest(csr).subject.raw).toEqual(encodeName([{ type: 'commonName', value: 'dev' }]));
  });

  it('reads the certificates of our certs-only message', async () => {
    writeFileSync(path('certs.p7'), encodeCertsOnly([root.raw, issuing.raw]));
    const out = openssl('pkcs7', '-inform', 'DER', '-in', path('certs.p7'), '-print_certs', '-noout');
    expect(out.match(/subject=/g)?.length).toBe(2);
  });
});
