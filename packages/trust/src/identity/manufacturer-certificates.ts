import {
  certificateRefusal,
  fingerprint,
  importAnyPublicKey,
  sha256,
  signatureAlgorithmOf,
  verifySignature,
} from '@holdfast/crypto';
import { encodeHex, type EpochMs, equalBytes, HoldfastError } from '@holdfast/kernel';
import { attributeTexts, type Certificate, decodeCertificate, OID } from '@holdfast/wire/x509';
import type { CertificateRecord, Fingerprint, Tenant } from '../ports/index.ts';
import type { PseudoParameters } from './template-plan.ts';

const WORDS = { purpose: undefined, webPki: false, understood: new Set<string>() } as const;

/**
 * Reads the certificate of somebody else's authority; it is held to the rules of path validation.
 *
 * @throws `identity.bad_manufacturer` naming the rule it breaks
 */
export function readAuthority(der: Uint8Array, now: EpochMs): Certificate {
  const certificate = decoded(der, 'identity.bad_manufacturer');
  const reason = certificateRefusal(certificate, 'anchor', { ...WORDS, now });
  if (reason !== undefined) throw new HoldfastError('identity.bad_manufacturer', { reason });
  return certificate;
}

/**
 * Demands proof that whoever registers an authority holds its key: a certificate it issued for our code. Its form is
 * not looked at: stock commands make it without extensions.
 *
 * @throws `identity.bad_verification`
 * @see AWS IoT developer guide, "Register your CA certificate"
 */
export function demandPossession(
  authority: Certificate,
  verificationDer: Uint8Array,
  expected: { readonly code: string; readonly now: EpochMs },
): void {
  const proof = decoded(verificationDer, 'identity.bad_verification');
  const names = attributeTexts(proof.subject, OID.commonName);
  const wrong = (reason: string) => new HoldfastError('identity.bad_verification', { reason });
  if (names.length !== 1 || names[0] !== expected.code) throw wrong('common name');
  if (!equalBytes(proof.issuer.raw, authority.subject.raw)) throw wrong('issuer');
  if (expected.now > proof.validity.notAfter) throw wrong('validity');
  if (!isSignedBy(proof, authority)) throw wrong('signature');
}

function isSignedBy(signed: Certificate, authority: Certificate): boolean {
  if (!equalBytes(signed.innerAlgorithm.raw, signed.signatureAlgorithm.raw)) return false;
  const key = importAnyPublicKey(authority.spki);
  const algorithm = signatureAlgorithmOf(signed.signatureAlgorithm, key.kind);
  return algorithm !== undefined && verifySignature(algorithm, key, signed.tbs, signed.signature);
}

function decoded(der: Uint8Array, code: 'identity.bad_manufacturer' | 'identity.bad_verification'): Certificate {
  try {
    return decodeCertificate(der);
  } catch (cause) {
    throw new HoldfastError(code, { reason: 'form' }, { cause });
  }
}

/** The record of a certificate that another authority issued. */
export function foreignRecord(
  certificate: Certificate,
  given: Pick<CertificateRecord, 'profile' | 'state' | 'subjectId' | 'door' | 'issuedAt'> & {
    readonly tenant: Tenant;
    /** Undefined for the authority itself. */
    readonly issuer: Fingerprint | undefined;
  },
): CertificateRecord {
  const own = fingerprint(certificate.raw);
  const issuer = given.issuer ?? own;
  return {
    ...given,
    issuer,
    fingerprint: own,
    serialNumber: `${issuer}:${certificate.serial}`,
    der: certificate.raw,
    spkiSha256: encodeHex(sha256(certificate.spki.raw)),
    claimId: undefined,
    keyOrigin: 'device',
    ...certificate.validity,
    firstUsedAt: undefined,
    revokedAt: undefined,
    revocationReason: undefined,
  };
}

const SUBJECT = {
  CommonName: OID.commonName,
  SerialNumber: OID.serialNumber,
  Country: OID.country,
  Organization: OID.organization,
  OrganizationalUnit: OID.organizationalUnit,
  DistinguishedNameQualifier: OID.dnQualifier,
  StateName: OID.state,
} as const;

/** What a JITP template may refer to: an attribute that is there twice says nothing for certain, and is left out. */
export function pseudoParametersOf(certificate: Certificate): PseudoParameters {
  const entries = Object.entries(SUBJECT).flatMap(([name, type]) => {
    const [text, ...more] = attributeTexts(certificate.subject, type);
    return text === undefined || more.length > 0 ? [] : [[`AWS::IoT::Certificate::${name}`, text] as const];
  });
  return { ...Object.fromEntries(entries), 'AWS::IoT::Certificate::Id': fingerprint(certificate.raw) };
}
