import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { systemRandom } from '@holdfast/kernel';
import { encodeCertsOnly } from '@holdfast/wire/cms';
import {
  type CertificateProfile,
  type GeneralName,
  decodeCertificate,
  decodeCertificationRequest,
  encodeExtension,
  encodeName,
  encodeOpenDiceInput,
  encodeTcbInfo,
  OID,
} from '@holdfast/wire/x509';
import {
  createCsr,
  createSigner,
  generatePrivateKey,
  issueCertificate,
  newSerial,
  NO_EXPIRY,
  verifyCsr,
} from '../index.ts';
import {
  issueLeaf,
  issuing,
  leafKey,
  openssl,
  path,
  root,
  rootKey,
  save,
  validity,
  removeFolder,
} from './sample-openssl.ts';

afterAll(removeFolder);

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
