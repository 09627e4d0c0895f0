import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/kernel';
import { encodeBoolean, encodeInteger, encodeOctetString, encodeSequence, encodeTlv } from '../asn1/index.ts';
import { decodePem } from '../pem/index.ts';
import {
  decodeCertificate,
  encodeAlgorithm,
  encodeEcSpki,
  encodeExtension,
  encodeFromTemplate,
  encodeName,
  encodeSigned,
  encodeTbsCertificate,
  nameText,
  OID,
  prepareTemplate,
  PROFILES,
} from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });
const limbo = JSON.parse(readFileSync(new URL('../../vectors/x509/limbo-sample.json', import.meta.url), 'utf8')) as {
  readonly testcases: readonly {
    readonly id: string;
    readonly peer_certificate: string;
    readonly trusted_certs: readonly string[];
  }[];
};
const online = limbo.testcases.filter(({ id }) => id.startsWith('online::'));
const sample = decodePem(online[0]?.peer_certificate ?? '', 'CERTIFICATE');

const point = new Uint8Array(65).fill(7);
point[0] = 4;
const spki = encodeEcSpki('P-256', point);
const algorithm = encodeAlgorithm(OID.ecdsaWithSha256);
const name = encodeName([{ type: 'commonName', value: 'x' }]);
const base = {
  serial: Uint8Array.of(0x40, 1),
  algorithm,
  issuer: name,
  validity: { notBefore: Date.UTC(2026, 0), notAfter: Date.UTC(2050, 0) },
  subject: name,
  spki,
  extensions: [encodeExtension(OID.subjectKeyIdentifier, false, encodeOctetString(Uint8Array.of(1)))],
};
const signed = (tbs: Uint8Array) => encodeSigned(tbs, algorithm, Uint8Array.of(1, 2));

describe('certificates of the public web', () => {
  it.each(online.map(({ id, peer_certificate }) => [id, peer_certificate]))(
    '%s reads as node:crypto reads it',
    (_id, pem) => {
      const der = decodePem(pem, 'CERTIFICATE');
      const [ours, node] = [decodeCertificate(der), new X509Certificate(der)];
      expect(ours.serial).toBe(node.serialNumber.toLowerCase());
      expect(ours.validity.notAfter).toBe(Date.parse(node.validTo));
      expect(ours.validity.notBefore).toBe(Date.parse(node.validFrom));
      const names = (ours.known.subjectAltName ?? []).map((each) =>
        each.kind === 'dns' ? `DNS:${each.text}` : each.kind,
      );
      expect(names.join(', ')).toBe(node.subjectAltName);
      expect(ours.spki.raw).toEqual(Uint8Array.from(node.publicKey.export({ format: 'der', type: 'spki' })));
      expect(ours.known.basicConstraints?.ca ?? false).toBe(node.ca);
    },
  );

  it('are refused at every shorter length and with a byte more', () => {
    for (let length = 0; length < sample.length; length++) {
      expect(() => decodeCertificate(sample.subarray(0, length))).toThrowError(HoldfastError);
    }
    expect(() => decodeCertificate(Uint8Array.of(...sample, 0))).toThrowError(coded('wire.trailing_bytes'));
  });

  it('give a value or one coded error after any change, and nothing node:crypto cannot read', () => {
    fc.assert(
      fc.property(fc.nat(sample.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(sample);
        changed[at] = (changed[at] ?? 0) ^ change;
        try {
          decodeCertificate(changed);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
          return;
        }
        expect(() => new X509Certificate(changed)).not.toThrow();
      }),
      { numRuns: 1500 },
    );
  });

  it('give a coded error for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => decodeCertificate(bytes)).toThrowError(HoldfastError);
      }),
    );
  });
});

describe('certificates', () => {
  it('come back from their fields', () => {
    const decoded = decodeCertificate(signed(encodeTbsCertificate(base)));
    expect(decoded).toMatchObject({ version: 3, serial: '4001', validity: base.validity });
    expect(decoded.subject.raw).toEqual(name);
    expect(decoded.signature).toEqual(Uint8Array.of(1, 2));
  });

  it.each<[string, Partial<typeof base>, string]>([
    ['a doubled extension', { extensions: [...base.extensions, ...base.extensions] }, 'wire.duplicate'],
    ['no extension in the list', { extensions: [] }, 'wire.malformed'],
    [
      'an encoded FALSE',
      {
        extensions: [
          encodeSequence(
            encodeTlv(6, Uint8Array.of(42, 3)),
            encodeBoolean(false),
            encodeOctetString(new Uint8Array(0)),
          ),
        ],
      },
      'wire.malformed',
    ],
    [
      'no usage in keyUsage',
      { extensions: [encodeExtension(OID.keyUsage, true, Uint8Array.of(3, 1, 0))] },
      'wire.malformed',
    ],
    [
      'trailing zero bits in keyUsage',
      { extensions: [encodeExtension(OID.keyUsage, true, Uint8Array.of(3, 2, 0, 0x80))] },
      'wire.malformed',
    ],
    [
      'an empty list of purposes',
      { extensions: [encodeExtension(OID.extKeyUsage, false, encodeSequence())] },
      'wire.malformed',
    ],
    ['an empty SAN', { extensions: [encodeExtension(OID.subjectAltName, false, encodeSequence())] }, 'wire.malformed'],
    [
      'a negative path length',
      {
        extensions: [
          encodeExtension(OID.basicConstraints, true, encodeSequence(encodeBoolean(true), encodeInteger(-1))),
        ],
      },
      'wire.malformed',
    ],
    ['an empty name part', { subject: encodeSequence(encodeTlv(0x31)) }, 'wire.malformed'],
  ])('with %s are refused', (_name, change, code) => {
    expect(() => decodeCertificate(signed(encodeTbsCertificate({ ...base, ...change })))).toThrowError(coded(code));
  });

  it('with GeneralizedTime before 2050 are refused', () => {
    const der = signed(encodeTbsCertificate(base));
    const early = Uint8Array.from(der);
    const at = Buffer.from(der).indexOf('20500101');
    early.set(new TextEncoder().encode('20490101'), at);
    expect(() => decodeCertificate(early)).toThrowError(coded('wire.malformed'));
  });
});

describe('templates', () => {
  it.each(Object.keys(PROFILES) as (keyof typeof PROFILES)[])('%s say what the profile table says', (profile) => {
    const template = prepareTemplate({
      profile,
      issuerName: name,
      algorithm,
      authorityKeyIdentifier: Uint8Array.of(9),
    });
    const tbs = encodeFromTemplate(template, { ...base, extensions: [], subjectKeyIdentifier: Uint8Array.of(1) });
    const { known, extensions } = decodeCertificate(signed(tbs));
    const row = PROFILES[profile];
    expect(known.basicConstraints).toEqual({ ca: row.ca, pathLen: row.pathLen });
    expect([...(known.keyUsage ?? [])]).toEqual(row.keyUsage);
    expect(known.extKeyUsage ?? []).toEqual(row.extKeyUsage);
    expect(known.ocspNoCheck === true).toBe(row.ocspNoCheck);
    expect(extensions.filter(({ critical }) => critical).map(({ oid }) => oid)).toEqual([
      OID.basicConstraints,
      OID.keyUsage,
    ]);
  });

  it('make the SAN critical exactly when the subject is empty', () => {
    const template = prepareTemplate({ profile: 'server', issuerName: name, algorithm });
    for (const subject of [name, encodeName([])]) {
      const fields = {
        ...base,
        extensions: [],
        subject,
        subjectKeyIdentifier: Uint8Array.of(1),
        subjectAltName: [{ kind: 'dns', text: 'a.test' }] as const,
      };
      const { extensions } = decodeCertificate(signed(encodeFromTemplate(template, fields)));
      expect(extensions.find(({ oid }) => oid === OID.subjectAltName)?.critical).toBe(subject.length === 2);
    }
  });
});

describe('names', () => {
  it.each(['', 'a\nCN=admin', 'a\u0000b', 'a\u202eb', 'x'.repeat(65)])(
    'refuse %j, which could mislead a reader of the printed name',
    (value) => {
      expect(() => encodeName([{ type: 'commonName', value }])).toThrowError(HoldfastError);
    },
  );

  it('are printed with every special character escaped', () => {
    const tbs = encodeTbsCertificate({
      ...base,
      subject: encodeName([
        { type: 'organization', value: 'a,b' },
        { type: 'commonName', value: '#c="d" ' },
      ]),
    });
    expect(nameText(decodeCertificate(signed(tbs)).subject)).toBe('CN=\\#c\\=\\"d\\"\\ ,O=a\\,b');
  });
});
