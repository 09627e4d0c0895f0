import { type AltName, type BasicConstraints, type CRLDistributionPoints, type ExtKeyUsage, TimeType } from 'pkijs';
import { extensionOf, extensionsOf, hex, type ReadCertificate } from './read-certificate.ts';

/** What a certificate is judged with. */
interface LintSubject {
  readonly certificate: ReadCertificate;
  /** Itself when it is a root. */
  readonly issuer: ReadCertificate;
  readonly selfSigned: boolean;
}

export interface Lint {
  readonly name: string;
  /** Where it is written. */
  readonly source: string;
  /** What is wrong, or undefined. */
  readonly judge: (subject: LintSubject) => string | undefined;
}

const OIDS = {
  authorityKeyIdentifier: '2.5.29.35',
  basicConstraints: '2.5.29.19',
  crlDistributionPoints: '2.5.29.31',
  extKeyUsage: '2.5.29.37',
  keyUsage: '2.5.29.15',
  nameConstraints: '2.5.29.30',
  ocspNoCheck: '1.3.6.1.5.5.7.48.1.5',
  subjectAltName: '2.5.29.17',
  subjectKeyIdentifier: '2.5.29.14',
} as const;

const PURPOSE = { any: '2.5.29.37.0', ocspSigning: '1.3.6.1.5.5.7.3.9', serverAuth: '1.3.6.1.5.5.7.3.1' } as const;
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const P256_DER = '06082a8648ce3d030107';

/** RFC 5280 appendix A.1, upper bounds in characters, by attribute type. */
const UPPER_BOUNDS: Readonly<Record<string, number>> = {
  '2.5.4.3': 64,
  '2.5.4.5': 64,
  '2.5.4.6': 2,
  '2.5.4.10': 64,
  '2.5.4.11': 64,
};
const TAG_UTF8 = 12;
const TAG_PRINTABLE = 19;

/** GeneralName choices. */
const DNS = 2;
const URI = 6;
const IP = 7;

const KU_DIGITAL_SIGNATURE = 0;
const KU_KEY_ENCIPHERMENT = 2;
const KU_KEY_CERT_SIGN = 5;

/** The rules of RFC 5280 and its companions that touch what we issue. */
export const LINTS: readonly Lint[] = [
  lint('is of version 3', 'RFC 5280 4.1.2.1', ({ certificate }) => certificate.version !== 2),
  lint('has a positive serial number of 8 to 20 octets', 'RFC 5280 4.1.2.2', ({ certificate }) => {
    const octets = certificate.serialNumber.valueBlock.valueHexView;
    const positive = ((octets[0] ?? 0x80) & 0x80) === 0;
    return !positive || octets.length < 8 || octets.length > 20;
  }),
  lint('names one signature algorithm inside and outside', 'RFC 5280 4.1.1.2', ({ certificate }) => {
    return certificate.signature.algorithmId !== certificate.signatureAlgorithm.algorithmId;
  }),
  lint('gives ecdsa-with-SHA256 no parameters', 'RFC 5758 3.2', ({ certificate }) => {
    const both = [certificate.signature, certificate.signatureAlgorithm];
    return both.some(
      ({ algorithmId, algorithmParams }) => algorithmId !== ECDSA_SHA256 || algorithmParams !== undefined,
    );
  }),
  lint('has an issuer that equals the subject of its issuer', 'RFC 5280 6.1.3', ({ certificate, issuer }) => {
    const { typesAndValues } = certificate.issuer;
    return typesAndValues.length === 0 || !certificate.issuer.isEqual(issuer.subject);
  }),
  lint('writes UTCTime to 2049 and GeneralizedTime from 2050', 'RFC 5280 4.1.2.5', ({ certificate }) => {
    return [certificate.notBefore, certificate.notAfter].some(({ type, value }) => {
      const fitting = value.getUTCFullYear() >= 2050 ? TimeType.GeneralizedTime : TimeType.UTCTime;
      return type !== fitting;
    });
  }),
  lint('begins before it ends', 'RFC 5280 4.1.2.5', ({ certificate: { notBefore, notAfter } }) => {
    return notBefore.value.getTime() >= notAfter.value.getTime();
  }),
  lint('does not outlive its issuer', 'RFC 5280 6.1', ({ certificate, issuer }) => {
    return certificate.notAfter.value.getTime() > issuer.notAfter.value.getTime();
  }),
  lint('has a subject, or a critical subjectAltName in its place', 'RFC 5280 4.1.2.6', ({ certificate }) => {
    const empty = certificate.subject.typesAndValues.length === 0;
    return empty && (isAuthority(certificate) || extensionOf(certificate, OIDS.subjectAltName)?.critical !== true);
  }),
  lint('writes names as UTF8String or PrintableString', 'RFC 5280 4.1.2.4', ({ certificate }) => {
    return certificate.subject.typesAndValues.some(({ value }) => {
      const { tagNumber } = value.idBlock;
      return tagNumber !== TAG_UTF8 && tagNumber !== TAG_PRINTABLE;
    });
  }),
  lint('keeps names within their upper bounds', 'RFC 5280 A.1', ({ certificate }) => {
    return certificate.subject.typesAndValues.some(({ type, value }) => {
      const text = value.valueBlock.value;
      return text.length === 0 || text.length > (UPPER_BOUNDS[type] ?? 128);
    });
  }),
  lint('has no unique identifiers', 'RFC 5280 4.1.2.8', ({ certificate }) => {
    return certificate.issuerUniqueID !== undefined || certificate.subjectUniqueID !== undefined;
  }),
  lint('has every extension once', 'RFC 5280 4.2', ({ certificate }) => {
    const oids = extensionsOf(certificate).map(({ oid }) => oid);
    return new Set(oids).size !== oids.length;
  }),
  lint('has a P-256 key on a named curve, uncompressed', 'RFC 5480 2.1.1, 2.2', ({ certificate }) => {
    const { algorithm, subjectPublicKey } = certificate.subjectPublicKeyInfo;
    const curve = (algorithm.algorithmParams as { toBER: () => ArrayBuffer } | undefined)?.toBER();
    const point = subjectPublicKey.valueBlock.valueHexView;
    const onP256 = curve !== undefined && hex(new Uint8Array(curve)) === P256_DER;
    return algorithm.algorithmId !== EC_PUBLIC_KEY || !onP256 || point.length !== 65 || point[0] !== 4;
  }),
  lint('has a subjectKeyIdentifier that is not critical', 'RFC 5280 4.2.1.2', ({ certificate }) => {
    return extensionOf(certificate, OIDS.subjectKeyIdentifier)?.critical !== false;
  }),
  lint('has the authorityKeyIdentifier of its issuer, not critical', 'RFC 5280 4.2.1.1', (subject) => {
    const { certificate, issuer, selfSigned } = subject;
    const aki = extensionOf(certificate, OIDS.authorityKeyIdentifier);
    if (aki === undefined) return !selfSigned;
    const ski = extensionOf(issuer, OIDS.subjectKeyIdentifier)?.value.subarray(2) ?? new Uint8Array();
    return aki.critical || ski.length === 0 || !hex(aki.value).endsWith(hex(ski));
  }),
  lint('has a critical keyUsage', 'RFC 5280 4.2.1.3', ({ certificate }) => {
    return extensionOf(certificate, OIDS.keyUsage)?.critical !== true;
  }),
  lint('writes keyUsage without trailing zero bits', 'X.690 11.2.2', ({ certificate }) => {
    const [, , unused = 0, bits = 0] = extensionOf(certificate, OIDS.keyUsage)?.value ?? [];
    return ((bits >> unused) & 1) === 0;
  }),
  lint('may sign certificates if and only if it is an authority', 'RFC 5280 4.2.1.3', ({ certificate }) => {
    return uses(certificate, KU_KEY_CERT_SIGN) !== isAuthority(certificate);
  }),
  lint('may sign when it is no authority, and never encipher keys', 'RFC 8813 3', ({ certificate }) => {
    const idle = !isAuthority(certificate) && !uses(certificate, KU_DIGITAL_SIGNATURE);
    return idle || uses(certificate, KU_KEY_ENCIPHERMENT);
  }),
  lint('has critical basicConstraints when it is an authority', 'RFC 5280 4.2.1.9', ({ certificate }) => {
    return isAuthority(certificate) && extensionOf(certificate, OIDS.basicConstraints)?.critical !== true;
  }),
  lint('writes no cA FALSE: it is the default', 'X.690 11.5', ({ certificate }) => {
    const value = extensionOf(certificate, OIDS.basicConstraints)?.value;
    return !isAuthority(certificate) && value !== undefined && hex(value) !== '3000';
  }),
  lint('limits the path only when it is an authority', 'RFC 5280 4.2.1.9', ({ certificate }) => {
    return !isAuthority(certificate) && constraintsOf(certificate)?.pathLenConstraint !== undefined;
  }),
  lint('has names in its subjectAltName, in ASCII', 'RFC 5280 4.2.1.6', ({ certificate }) => {
    if (extensionOf(certificate, OIDS.subjectAltName) === undefined) return false;
    const names = altNamesOf(certificate);
    return names.length === 0 || names.some(({ type, value }) => type !== IP && !isPlain(String(value)));
  }),
  lint('has absolute URIs in its subjectAltName', 'RFC 5280 4.2.1.6', ({ certificate }) => {
    return altNamesOf(certificate).some(
      ({ type, value }) => type === URI && !/^[a-z][a-z0-9+.-]*:./i.test(String(value)),
    );
  }),
  lint('has a server name or address when it is a server', 'RFC 9525 3', ({ certificate }) => {
    if (!purposesOf(certificate).includes(PURPOSE.serverAuth)) return false;
    return !altNamesOf(certificate).some(({ type }) => type === DNS || type === IP);
  }),
  lint('names its purposes and not any purpose', 'RFC 5280 4.2.1.12', ({ certificate }) => {
    return purposesOf(certificate).includes(PURPOSE.any);
  }),
  lint('constrains names only as an authority, critically', 'RFC 5280 4.2.1.10', ({ certificate }) => {
    const constraints = extensionOf(certificate, OIDS.nameConstraints);
    return constraints !== undefined && (!isAuthority(certificate) || !constraints.critical);
  }),
  lint('points at revocation lists by plain http and is not critical about it', 'RFC 5280 4.2.1.13', (subject) => {
    const extension = extensionOf(subject.certificate, OIDS.crlDistributionPoints);
    if (extension === undefined) return false;
    const { distributionPoints } = extension.parsed as CRLDistributionPoints;
    const names = distributionPoints.flatMap(({ distributionPoint }) =>
      Array.isArray(distributionPoint) ? distributionPoint : [],
    );
    return extension.critical || names.length === 0 || names.some(({ value }) => !String(value).startsWith('http:'));
  }),
  lint('is asked about nowhere when it signs OCSP answers', 'RFC 6960 4.2.2.2.1', ({ certificate }) => {
    const signs = purposesOf(certificate).includes(PURPOSE.ocspSigning);
    return signs !== (extensionOf(certificate, OIDS.ocspNoCheck) !== undefined);
  }),
];

function lint(name: string, source: string, breaks: (subject: LintSubject) => boolean): Lint {
  return { name, source, judge: (subject) => (breaks(subject) ? `not so: it ${name} (${source})` : undefined) };
}

function constraintsOf(certificate: ReadCertificate): BasicConstraints | undefined {
  return extensionOf(certificate, OIDS.basicConstraints)?.parsed as BasicConstraints | undefined;
}

function isAuthority(certificate: ReadCertificate): boolean {
  return constraintsOf(certificate)?.cA === true;
}

/** @param bit - position in RFC 5280's KeyUsage */
function uses(certificate: ReadCertificate, bit: number): boolean {
  const octets = extensionOf(certificate, OIDS.keyUsage)?.value.subarray(3) ?? new Uint8Array();
  return (((octets[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
}

function purposesOf(certificate: ReadCertificate): readonly string[] {
  return (extensionOf(certificate, OIDS.extKeyUsage)?.parsed as ExtKeyUsage | undefined)?.keyPurposes ?? [];
}

function altNamesOf(certificate: ReadCertificate): readonly { readonly type: number; readonly value: unknown }[] {
  return (extensionOf(certificate, OIDS.subjectAltName)?.parsed as AltName | undefined)?.altNames ?? [];
}

const isPlain = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);
