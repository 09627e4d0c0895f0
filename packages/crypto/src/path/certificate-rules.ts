import { equalBytes } from '@holdfast/kernel';
import { type Certificate, OID, publicKeyKind } from '@holdfast/wire/x509';
import { keyWeakness } from '../keys/weakness.ts';
import { isWellFormedName } from './name-constraints.ts';
import { breaksRootRules, breaksServerRules } from './web-pki.ts';

export type Role = 'leaf' | 'intermediate' | 'anchor';

export interface CertificatePolicy {
  /** Milliseconds since the Unix epoch; undefined where dates mean nothing (DICE layers). */
  readonly now: number | undefined;
  /** The key purpose the leaf must be good for; any when undefined. */
  readonly purpose: string | undefined;
  readonly webPki: boolean;
  /** Critical extensions the caller reads itself. */
  readonly understood: ReadonlySet<string>;
}

/** What path validation reads of an extension; any other that is critical refuses the certificate (RFC 5280 4.2). */
const PROCESSED: ReadonlySet<string> = new Set([
  OID.basicConstraints,
  OID.keyUsage,
  OID.extKeyUsage,
  OID.subjectAltName,
  OID.nameConstraints,
  OID.certificatePolicies,
  OID.policyMappings,
  OID.policyConstraints,
  OID.inhibitAnyPolicy,
  OID.crlDistributionPoints,
]);

/** Extensions RFC 5280 says conforming authorities mark non-critical (4.2.1.1, 4.2.1.2, 4.2.1.8, 4.2.1.15, 4.2.2). */
const NEVER_CRITICAL: ReadonlySet<string> = new Set([
  OID.authorityKeyIdentifier,
  OID.subjectKeyIdentifier,
  OID.subjectDirectoryAttributes,
  OID.freshestCrl,
  OID.authorityInfoAccess,
  OID.subjectInfoAccess,
]);

/** Extensions it says are critical (4.2.1.11, 4.2.1.14). */
const ALWAYS_CRITICAL: ReadonlySet<string> = new Set([OID.policyConstraints, OID.inhibitAnyPolicy]);

const MAX_SERIAL = 20;

type Rule = (certificate: Certificate, role: Role, policy: CertificatePolicy) => boolean;

const isAuthority = ({ known }: Certificate) => known.basicConstraints?.ca === true;
const isCritical = ({ extensions }: Certificate, oid: string) =>
  extensions.some((extension) => extension.oid === oid && extension.critical);
const isSelfIssued = ({ issuer, subject }: Certificate) => equalBytes(issuer.raw, subject.raw);

/** Each rule says when a certificate breaks it, whatever path it stands in. */
const RULES = {
  version: (certificate) => certificate.version !== 3,
  serial: ({ serialBytes }) =>
    serialBytes.length > MAX_SERIAL ||
    (serialBytes[0] ?? 0) >= 0x80 ||
    (serialBytes.length === 1 && serialBytes[0] === 0),
  'algorithm-mismatch': ({ innerAlgorithm, signatureAlgorithm }) =>
    !equalBytes(innerAlgorithm.raw, signatureAlgorithm.raw),
  'empty-issuer': ({ issuer }) => issuer.rdns.length === 0,
  'empty-subject': (certificate) =>
    certificate.subject.rdns.length === 0 && (isAuthority(certificate) || !isCritical(certificate, OID.subjectAltName)),
  validity: ({ validity }, _role, { now }) => {
    if (now === undefined) return false;
    const second = Math.floor(now / 1000) * 1000;
    return second < validity.notBefore || second > validity.notAfter;
  },
  'unknown-critical-extension': ({ extensions }, _role, { understood }) =>
    extensions.some(({ oid, critical }) => critical && !PROCESSED.has(oid) && !understood.has(oid)),
  criticality: (certificate, _role, { webPki }) =>
    certificate.extensions.some(({ oid, critical }) => (critical ? NEVER_CRITICAL : ALWAYS_CRITICAL).has(oid)) ||
    (certificate.known.nameConstraints !== undefined && !webPki && !isCritical(certificate, OID.nameConstraints)) ||
    (isAuthority(certificate) && !isCritical(certificate, OID.basicConstraints)),
  'weak-key': ({ spki }) => {
    const kind = publicKeyKind(spki);
    return keyWeakness(kind) !== undefined || (kind.kind === 'rsa' && kind.modulusBits % 8 !== 0);
  },
  'not-an-authority': (certificate, role) =>
    role !== 'leaf' && (!isAuthority(certificate) || certificate.known.keyUsage?.has('keyCertSign') === false),
  'key-usage': (certificate) => {
    const { keyUsage, basicConstraints } = certificate.known;
    const signs = keyUsage?.has('keyCertSign') === true;
    return (
      (signs && !isAuthority(certificate)) ||
      (basicConstraints?.pathLen !== undefined && keyUsage !== undefined && !signs)
    );
  },
  'path-length-without-authority': (certificate) =>
    certificate.known.basicConstraints?.pathLen !== undefined && !isAuthority(certificate),
  'name-constraints-in-leaf': (certificate) =>
    certificate.known.nameConstraints !== undefined && !isAuthority(certificate),
  'subject-key-identifier': (certificate) =>
    isAuthority(certificate) && certificate.known.subjectKeyIdentifier === undefined,
  'authority-key-identifier': (certificate, role) =>
    // An anchor that signed itself may leave it out (4.2.1.1), which takes a signature to see.
    role !== 'anchor' && certificate.known.authorityKeyIdentifier?.keyIdentifier === undefined,
  purpose: ({ known: { extKeyUsage } }, _role, { purpose }) =>
    purpose !== undefined &&
    extKeyUsage !== undefined &&
    !extKeyUsage.includes(purpose) &&
    !extKeyUsage.includes(OID.anyExtendedKeyUsage),
  'name-form': ({ known }) => known.subjectAltName?.every(isWellFormedName) === false,
  'web-pki': (certificate, role, { webPki }) =>
    webPki &&
    ((role === 'leaf' && breaksServerRules(certificate)) ||
      (role === 'anchor' && isSelfIssued(certificate) && breaksRootRules(certificate))),
} as const satisfies Record<string, Rule>;

export type CertificateRefusal = keyof typeof RULES | 'public-key';

const ENTRIES = Object.entries(RULES) as readonly (readonly [keyof typeof RULES, Rule])[];

/** The first rule a certificate breaks, or undefined. */
export function certificateRefusal(
  certificate: Certificate,
  role: Role,
  policy: CertificatePolicy,
): CertificateRefusal | undefined {
  try {
    return ENTRIES.find(([, breaks]) => breaks(certificate, role, policy))?.[0];
  } catch {
    // The one rule that decodes: a key whose bytes are not of its algorithm's form.
    return 'public-key';
  }
}
