import { createSigner, generatePrivateKey, issueCertificate, newSerial } from '@holdfast/crypto';
import { systemRandom } from '@holdfast/kernel';
import { type CertificateProfile, decodeCertificate } from '@holdfast/wire/x509';
import { BitString, BmpString, Integer, Null, ObjectIdentifier, Sequence } from 'asn1js';
import type { AttributeTypeAndValue, Extension } from 'pkijs';
import { describe, expect, it } from 'vitest';
import { LINTS } from './lints.ts';
import { type ReadCertificate, readCertificate } from './read-certificate.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);
const [rootKey, leafKey] = [await generatePrivateKey('P-256'), await generatePrivateKey('P-256')];
const signer = createSigner(rootKey);

const given = (name: string, days: number) => ({
  subjectName: [{ type: 'commonName', value: name }] as const,
  serial: newSerial(systemRandom),
  notBefore: NOW - DAY_MS,
  notAfter: NOW + days * DAY_MS,
});
const rootDer = await issueCertificate(
  { ...given('root', 100), profile: 'root', publicKey: rootKey.publicKey },
  signer,
);
const leaf = async (profile: CertificateProfile): Promise<Uint8Array> =>
  issueCertificate(
    {
      ...given('x', 10),
      profile,
      publicKey: leafKey.publicKey,
      issuer: decodeCertificate(rootDer),
      crlUris: ['http://crl.test/1'],
      san: [{ kind: 'dns', text: 'hub.test' }],
    },
    signer,
  );
const DERS = { root: rootDer, server: await leaf('server'), ocsp: await leaf('ocsp-signer') };

function fault(name: string, which: keyof typeof DERS, spoil: (certificate: ReadCertificate) => void): boolean {
  const lint = LINTS.find((each) => each.name === name);
  if (lint === undefined) throw new Error(`no rule ${name}`);
  const certificate = readCertificate(DERS[which]);
  const subject = { certificate, issuer: readCertificate(rootDer), selfSigned: which === 'root' };
  if (lint.judge(subject) !== undefined) throw new Error('it breaks the rule before it is spoilt');
  spoil(certificate);
  return lint.judge(subject) !== undefined;
}

const extension = (certificate: ReadCertificate, oid: string): Extension => {
  const found = certificate.extensions?.find(({ extnID }) => extnID === oid);
  if (found === undefined) throw new Error(`no extension ${oid}`);
  return found;
};
const without = (certificate: ReadCertificate, oid: string): void => {
  certificate.extensions = (certificate.extensions ?? []).filter(({ extnID }) => extnID !== oid);
};
const setCritical = (oid: string, critical: boolean) => (certificate: ReadCertificate) => {
  extension(certificate, oid).critical = critical;
};
const setValue = (oid: string, value: string) => (certificate: ReadCertificate) => {
  extension(certificate, oid).extnValue.valueBlock.valueHexView = new Uint8Array(Buffer.from(value, 'hex'));
};
const parsed = (certificate: ReadCertificate, oid: string) =>
  extension(certificate, oid).parsedValue as Record<string, unknown>;
const subjectOf = ({ subject }: ReadCertificate): AttributeTypeAndValue => {
  const [first] = subject.typesAndValues;
  if (first === undefined) throw new Error('no subject');
  return first;
};

const [BASIC, USAGE, SAN, PURPOSE, CRL] = ['2.5.29.19', '2.5.29.15', '2.5.29.17', '2.5.29.37', '2.5.29.31'];
const [SKI, AKI, NO_CHECK] = ['2.5.29.14', '2.5.29.35', '1.3.6.1.5.5.7.48.1.5'];

const SPOILT: readonly (readonly [string, keyof typeof DERS, (certificate: ReadCertificate) => void])[] = [
  ['is of version 3', 'server', (c) => void (c.version = 0)],
  [
    'has a positive serial number of 8 to 20 octets',
    'server',
    (c) => void (c.serialNumber = new Integer({ value: 5 })),
  ],
  ['names one signature algorithm inside and outside', 'server', (c) => void (c.signature.algorithmId = '1.2.3')],
  ['gives ecdsa-with-SHA256 no parameters', 'server', (c) => void (c.signature.algorithmParams = new Null())],
  ['has an issuer that equals the subject of its issuer', 'server', (c) => void (c.issuer.typesAndValues = [])],
  ['writes UTCTime to 2049 and GeneralizedTime from 2050', 'server', (c) => void (c.notAfter.type = 1)],
  ['begins before it ends', 'server', (c) => void (c.notBefore = c.notAfter)],
  ['does not outlive its issuer', 'server', (c) => void (c.notAfter.value = new Date(NOW + 200 * DAY_MS))],
  ['has a subject, or a critical subjectAltName in its place', 'server', (c) => void (c.subject.typesAndValues = [])],
  [
    'writes names as UTF8String or PrintableString',
    'server',
    (c) => void (subjectOf(c).value = new BmpString({ value: 'x' }) as never),
  ],
  [
    'keeps names within their upper bounds',
    'server',
    (c) => void (subjectOf(c).value.valueBlock.value = 'x'.repeat(65)),
  ],
  ['has no unique identifiers', 'server', (c) => void (c.issuerUniqueID = new ArrayBuffer(1))],
  ['has every extension once', 'server', (c) => void c.extensions?.push(extension(c, USAGE ?? ''))],
  [
    'has a P-256 key on a named curve, uncompressed',
    'server',
    (c) => void (c.subjectPublicKeyInfo.algorithm.algorithmParams = new ObjectIdentifier({ value: '1.3.132.0.34' })),
  ],
  ['has a subjectKeyIdentifier that is not critical', 'server', (c) => without(c, SKI ?? '')],
  ['has the authorityKeyIdentifier of its issuer, not critical', 'server', setValue(AKI ?? '', '30068004deadbeef')],
  ['has a critical keyUsage', 'server', setCritical(USAGE ?? '', false)],
  ['writes keyUsage without trailing zero bits', 'server', setValue(USAGE ?? '', '03020080')],
  ['may sign certificates if and only if it is an authority', 'server', setValue(USAGE ?? '', '03020284')],
  ['may sign when it is no authority, and never encipher keys', 'server', setValue(USAGE ?? '', '030205a0')],
  ['has critical basicConstraints when it is an authority', 'root', setCritical(BASIC ?? '', false)],
  ['writes no cA FALSE: it is the default', 'server', setValue(BASIC ?? '', '3003010100')],
  [
    'limits the path only when it is an authority',
    'server',
    (c) => void (parsed(c, BASIC ?? '')['pathLenConstraint'] = 0),
  ],
  ['has names in its subjectAltName, in ASCII', 'server', (c) => void (parsed(c, SAN ?? '')['altNames'] = [])],
  [
    'has absolute URIs in its subjectAltName',
    'server',
    (c) => void (parsed(c, SAN ?? '')['altNames'] = [{ type: 6, value: 'hub' }]),
  ],
  [
    'has a server name or address when it is a server',
    'server',
    (c) => void (parsed(c, SAN ?? '')['altNames'] = [{ type: 6, value: 'urn:x' }]),
  ],
  [
    'names its purposes and not any purpose',
    'server',
    (c) => void (parsed(c, PURPOSE ?? '')['keyPurposes'] = ['2.5.29.37.0']),
  ],
  [
    'constrains names only as an authority, critically',
    'server',
    (c) => void (extension(c, CRL ?? '').extnID = '2.5.29.30'),
  ],
  ['points at revocation lists by plain http and is not critical about it', 'server', setCritical(CRL ?? '', true)],
  ['is asked about nowhere when it signs OCSP answers', 'ocsp', (c) => without(c, NO_CHECK ?? '')],
];

describe('the rules certificates are held to', () => {
  it.each(SPOILT)('notice when a certificate no longer %s', (name, which, spoil) => {
    expect(fault(name, which, spoil)).toBe(true);
  });

  it('are all shown to notice', () => {
    expect(SPOILT.map(([name]) => name).sort()).toEqual(LINTS.map(({ name }) => name).sort());
  });

  it('do not read a certificate with octets after it', () => {
    expect(() => readCertificate(Uint8Array.of(...rootDer, 0))).toThrow('pkijs read');
    expect(() => readCertificate(new Uint8Array(new Sequence({ value: [new BitString()] }).toBER()))).toThrow();
  });
});
