import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as peculiar from '@peculiar/x509';
import { fromBER } from 'asn1js';
import * as pkijs from 'pkijs';
import { describe, expect, it } from 'vitest';
import {
  createCsr,
  createSigner,
  generatePrivateKey,
  issueCertificate,
  issueCrl,
  issueOcspResponse,
  newSerial,
  OcspIssuer,
  verifyCsr,
} from '@holdfast/crypto';
import { encodeHex, systemRandom } from '@holdfast/kernel';
import { decodeCertificate, encodeRevokedEntry, OID } from '@holdfast/wire/x509';

const DAY = 86_400_000;
const NOW = Date.now() - (Date.now() % 1000);
const [rootKey, deviceKey] = await Promise.all([generatePrivateKey('P-256'), generatePrivateKey('P-256')]);
const signer = createSigner(rootKey);
const root = decodeCertificate(
  await issueCertificate(
    {
      profile: 'root',
      subjectName: [{ type: 'commonName', value: 'Root' }],
      publicKey: rootKey.publicKey,
      serial: newSerial(systemRandom),
      notBefore: NOW - DAY,
      notAfter: NOW + 100 * DAY,
    },
    signer,
  ),
);
const device = decodeCertificate(
  await issueCertificate(
    {
      profile: 'device-ldevid',
      issuer: root,
      subjectName: [{ type: 'commonName', value: 'device-1' }],
      san: [{ kind: 'uri', text: 'urn:holdfast:t:device-1' }],
      publicKey: deviceKey.publicKey,
      serial: newSerial(systemRandom),
      notBefore: NOW - DAY,
      notAfter: NOW + DAY,
      crlUris: ['http://crl.test/1'],
    },
    signer,
  ),
);

/** A copy of its own, as the oracles keep the buffer. */
const buffer = (bytes: Uint8Array) => Uint8Array.from(bytes).buffer;
// Their types ask for a browser's Crypto, which webcrypto is in all but name.
peculiar.cryptoProvider.set(webcrypto as never);
pkijs.setEngine('node', new pkijs.CryptoEngine({ name: 'node', crypto: webcrypto as never }));

describe('@peculiar/x509', () => {
  it('reads and verifies what we issue', async () => {
    const [ours, authority] = [
      new peculiar.X509Certificate(buffer(device.raw)),
      new peculiar.X509Certificate(buffer(root.raw)),
    ];
    expect(ours.serialNumber).toBe(device.serial);
    expect(ours.subject).toBe('CN=device-1');
    expect(ours.notAfter.getTime()).toBe(device.validity.notAfter);
    expect(ours.getExtension(peculiar.SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([
      { type: 'url', value: 'urn:holdfast:t:device-1' },
    ]);
    expect(await ours.verify({ publicKey: authority, date: new Date(NOW) })).toBe(true);
  });

  it('verifies our request, and we verify its', async () => {
    const ours = await createCsr({ subject: [{ type: 'commonName', value: 'dev' }] }, createSigner(deviceKey));
    expect(await new peculiar.Pkcs10CertificateRequest(buffer(ours)).verify()).toBe(true);
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
    const theirs = await peculiar.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=dev',
      keys: keys as never,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [new peculiar.BasicConstraintsExtension(true)],
    });
    expect((await verifyCsr(new Uint8Array(theirs.rawData))).asksForAuthority).toBe(true);
  });
});

describe('pkijs', () => {
  it('builds our chain and finds our revocation', async () => {
    const crl = await issueCrl(
      {
        issuer: root,
        thisUpdate: NOW,
        nextUpdate: NOW + DAY,
        entries: [encodeRevokedEntry(device.serialBytes, NOW, 'superseded')],
        crlNumber: 3n,
      },
      signer,
    );
    const list = new pkijs.CertificateRevocationList({ schema: fromBER(buffer(crl)).result });
    const [leaf, authority] = [
      pkijs.Certificate.fromBER(buffer(device.raw)),
      pkijs.Certificate.fromBER(buffer(root.raw)),
    ];
    expect(await list.verify({ issuerCertificate: authority })).toBe(true);
    expect(list.isCertificateRevoked(leaf)).toBe(true);
    const chain = new pkijs.CertificateChainValidationEngine({
      trustedCerts: [authority],
      certs: [leaf],
      checkDate: new Date(NOW),
    });
    expect((await chain.verify()).result).toBe(true);
  });

  it('verifies our OCSP answer', async () => {
    const issuer = new OcspIssuer(root);
    const response = await issueOcspResponse(
      {
        responder: root,
        includeCertificate: true,
        producedAt: NOW,
        responses: [
          {
            certId: issuer.certId(device.serial, OID.sha1),
            status: { kind: 'good' },
            thisUpdate: NOW,
            nextUpdate: NOW + DAY,
          },
        ],
      },
      signer,
    );
    const parsed = pkijs.OCSPResponse.fromBER(buffer(response));
    const basic = pkijs.BasicOCSPResponse.fromBER(
      parsed.responseBytes?.response.valueBlock.valueHexView ?? new Uint8Array(0),
    );
    const authority = pkijs.Certificate.fromBER(buffer(root.raw));
    expect(await basic.verify({ trustedCerts: [authority] })).toBe(true);
    expect(
      encodeHex(new Uint8Array(basic.tbsResponseData.responses[0]?.certID.serialNumber.valueBlock.valueHexView ?? [])),
    ).toBe(device.serial);
  });
});
