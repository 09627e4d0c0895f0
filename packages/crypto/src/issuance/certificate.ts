import { equalBytes, HoldfastError, type Random } from '@holdfast/kernel';
import {
  type Certificate,
  type CertificateProfile,
  type CertificateTemplate,
  decodeSpki,
  encodeFromTemplate,
  encodeName,
  encodeSigned,
  type GeneralName,
  type NameConstraints,
  type NamePart,
  prepareTemplate,
  publicKeyKind,
  type Validity,
} from '@holdfast/wire/x509';
import { encodeSignatureAlgorithm } from '../keys/algorithms.ts';
import type { PublicKey } from '../keys/public-key.ts';
import type { Signer } from '../keys/signer.ts';
import { keyWeakness } from '../keys/weakness.ts';
import { sha256 } from '../primitives/hash.ts';

/** What all certificates of one profile by one authority share; prepare it once. */
export interface Issuance {
  readonly profile: CertificateProfile;
  /** Undefined when the certificate is to be signed by its own key. */
  readonly issuer: Certificate | undefined;
  readonly template: CertificateTemplate;
  readonly algorithm: Uint8Array;
  readonly signer: Signer;
}

export interface IssuanceInput {
  readonly profile: CertificateProfile;
  /** The authority's certificate; absent for a self-signed root. */
  readonly issuer?: Certificate;
  /** The subject, needed here only for a self-signed root. */
  readonly selfName?: readonly NamePart[];
  readonly crlUris?: readonly string[];
  readonly ocspUris?: readonly string[];
  readonly issuerUris?: readonly string[];
  readonly nameConstraints?: NameConstraints;
  readonly extKeyUsage?: readonly string[];
  readonly policies?: readonly string[];
  readonly pathLen?: number;
  /** Whole Extension encodings every certificate gets. */
  readonly extensions?: readonly Uint8Array[];
}

/** What one certificate says. Subject and names come from the registry, never from a request. */
export interface CertificateFields {
  readonly subjectName: readonly NamePart[];
  readonly san?: readonly GeneralName[];
  /** The subject's key; a PublicKey is already checked, SPKI bytes are checked here. */
  readonly publicKey: PublicKey | Uint8Array;
  /** Big-endian magnitude of 8 to 20 octets: `newSerial`. */
  readonly serial: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whole Extension encodings this certificate alone gets. */
  readonly extensions?: readonly Uint8Array[];
}

/** DICE layers have no clock: their dates mean nothing (Open DICE specification, "Certificate Details"). */
const DATELESS: ReadonlySet<CertificateProfile> = new Set(['attestation-layer', 'attestation-leaf']);

/**
 * Encodes what certificates of a profile by this issuer share.
 *
 * @throws `crypto.issue_refused` when the signer's key is not the issuer's, the issuer is no authority, or a
 * certificate without issuer is not a root.
 */
export function prepareIssuance(input: IssuanceInput, signer: Signer): Issuance {
  const { profile, issuer, selfName } = input;
  if (issuer === undefined && (profile !== 'root' || selfName === undefined)) throw refused('issuer');
  if (issuer !== undefined && !equalBytes(issuer.spki.raw, signer.publicKeySpki)) throw refused('signer');
  if (issuer !== undefined && issuer.known.basicConstraints?.ca !== true) throw refused('issuer');
  const algorithm = encodeSignatureAlgorithm(signer.algorithm);
  const template = prepareTemplate({
    ...input,
    algorithm,
    issuerName: issuer?.subject.raw ?? encodeName(selfName ?? []),
    authorityKeyIdentifier:
      issuer === undefined ? undefined : (issuer.known.subjectKeyIdentifier ?? subjectKeyIdentifier(issuer.spki.key)),
  });
  return { profile, issuer, template, algorithm, signer };
}

/**
 * Issues one certificate: DER.
 *
 * @throws `crypto.issue_refused` when the dates reach outside the issuer's, the serial is too short or long, a server has no
 * name, or an authority would certify its own key anew; `crypto.weak_key`, `crypto.bad_key` for the subject's key.
 */
export async function issueFrom(issuance: Issuance, fields: CertificateFields): Promise<Uint8Array<ArrayBuffer>> {
  const { template, algorithm, signer } = issuance;
  const tbs = encodeTbs(issuance, template, fields);
  return encodeSigned(tbs, algorithm, await signer.sign(tbs));
}

/** `prepareIssuance` and `issueFrom` in one, for certificates made now and then. */
export async function issueCertificate(
  input: Omit<IssuanceInput, 'selfName' | 'extensions'> & CertificateFields,
  signer: Signer,
): Promise<Uint8Array<ArrayBuffer>> {
  const { extensions: _own, ...shared } = input;
  return issueFrom(prepareIssuance({ ...shared, selfName: input.subjectName }, signer), input);
}

/** 20 random octets of which the first keeps the number positive and the length fixed: 158 random bits (RFC 5280 4.1.2.2). */
export function newSerial(random: Random): Uint8Array<ArrayBuffer> {
  const serial = random.bytes(20);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

/** Leftmost 160 bits of SHA-256 over the key bits (RFC 7093 section 2, method 1). */
export function subjectKeyIdentifier(key: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(key).subarray(0, 20);
}

export interface ValidityInput {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly lifetimeMs: number;
  /** How far notBefore lies back, for devices whose clock is behind; an hour when not given. */
  readonly backdateMs?: number;
  readonly issuer?: Validity;
}

const HOUR_MS = 3_600_000;

/** Dates of a new certificate, cut to the second and to the issuer's. @throws `crypto.issue_refused` when the issuer is not valid now. */
export function validityFor({ now, lifetimeMs, backdateMs = HOUR_MS, issuer }: ValidityInput): Validity {
  if (issuer !== undefined && (now < issuer.notBefore || now > issuer.notAfter)) throw refused('issuer validity');
  const second = (ms: number) => ms - (ms % 1000);
  return {
    notBefore: Math.max(second(now - backdateMs), issuer?.notBefore ?? Number.NEGATIVE_INFINITY),
    notAfter: Math.min(second(now + lifetimeMs), issuer?.notAfter ?? Number.POSITIVE_INFINITY),
  };
}

/** 99991231235959Z: no expiry is intended (RFC 5280 4.1.2.5). */
export const NO_EXPIRY = Date.UTC(9999, 11, 31, 23, 59, 59);

function encodeTbs(
  { profile, issuer }: Issuance,
  template: CertificateTemplate,
  fields: CertificateFields,
): Uint8Array<ArrayBuffer> {
  const { notBefore, notAfter, serial, san = [] } = fields;
  if (serial.length < 8 || serial.length > 20 || (serial[0] ?? 0) === 0 || (serial[0] ?? 0) >= 0x80)
    throw refused('serial');
  const isOutside =
    issuer !== undefined &&
    !DATELESS.has(profile) &&
    (notBefore < issuer.validity.notBefore || notAfter > issuer.validity.notAfter);
  if (isOutside || notBefore >= notAfter) throw refused('validity');
  if (template.row.requiresSubjectAltName && san.length === 0) throw refused('san');
  const spki = checkedSpki(fields.publicKey);
  // A device that presents the authority's own key would obtain the authority's name on a leaf.
  if (issuer !== undefined && equalBytes(spki, issuer.spki.raw)) throw refused('public key');
  return encodeFromTemplate(template, {
    serial,
    validity: { notBefore, notAfter },
    subject: encodeName(fields.subjectName),
    spki,
    subjectKeyIdentifier: subjectKeyIdentifier(decodeSpki(spki).key),
    subjectAltName: san,
    extensions: fields.extensions,
  });
}

function checkedSpki(key: PublicKey | Uint8Array): Uint8Array {
  const [spki, weakness] =
    key instanceof Uint8Array ? [key, keyWeakness(publicKeyKind(decodeSpki(key)))] : [key.spki, key.weakness];
  if (weakness !== undefined) throw new HoldfastError('crypto.weak_key', { reason: weakness });
  return spki;
}

function refused(field: string): HoldfastError {
  return new HoldfastError('crypto.issue_refused', { field });
}
