import { HoldfastError } from '@holdfast/kernel';
import { encodeContext, encodeInteger, encodeSequence } from '@holdfast/wire/asn1';
import { type AlgorithmIdentifier, encodeAlgorithm, OID, type PublicKeyKind } from '@holdfast/wire/x509';
import type { HashAlgorithm } from '../primitives/hash.ts';

interface AlgorithmRow {
  readonly scheme: 'ecdsa' | 'ed25519' | 'ml-dsa' | 'rsa-pkcs1' | 'rsa-pss';
  /** Undefined where the scheme fixes its own. */
  readonly hash: HashAlgorithm | undefined;
  readonly curve?: 'P-256' | 'P-384' | 'P-521';
  readonly parameterSet?: '44' | '65' | '87';
  readonly oid: string;
}

/** Every signature we make or check; a verifier names one of these, never takes it from the message alone. */
export const SIGNATURE_ALGORITHMS = {
  'ecdsa-p256-sha256': { scheme: 'ecdsa', hash: 'sha256', curve: 'P-256', oid: OID.ecdsaWithSha256 },
  'ecdsa-p256-sha384': { scheme: 'ecdsa', hash: 'sha384', curve: 'P-256', oid: OID.ecdsaWithSha384 },
  'ecdsa-p256-sha512': { scheme: 'ecdsa', hash: 'sha512', curve: 'P-256', oid: OID.ecdsaWithSha512 },
  'ecdsa-p384-sha256': { scheme: 'ecdsa', hash: 'sha256', curve: 'P-384', oid: OID.ecdsaWithSha256 },
  'ecdsa-p384-sha384': { scheme: 'ecdsa', hash: 'sha384', curve: 'P-384', oid: OID.ecdsaWithSha384 },
  'ecdsa-p384-sha512': { scheme: 'ecdsa', hash: 'sha512', curve: 'P-384', oid: OID.ecdsaWithSha512 },
  'ecdsa-p521-sha256': { scheme: 'ecdsa', hash: 'sha256', curve: 'P-521', oid: OID.ecdsaWithSha256 },
  'ecdsa-p521-sha384': { scheme: 'ecdsa', hash: 'sha384', curve: 'P-521', oid: OID.ecdsaWithSha384 },
  'ecdsa-p521-sha512': { scheme: 'ecdsa', hash: 'sha512', curve: 'P-521', oid: OID.ecdsaWithSha512 },
  ed25519: { scheme: 'ed25519', hash: undefined, oid: OID.ed25519 },
  'ml-dsa-44': { scheme: 'ml-dsa', hash: undefined, parameterSet: '44', oid: OID.mlDsa44 },
  'ml-dsa-65': { scheme: 'ml-dsa', hash: undefined, parameterSet: '65', oid: OID.mlDsa65 },
  'ml-dsa-87': { scheme: 'ml-dsa', hash: undefined, parameterSet: '87', oid: OID.mlDsa87 },
  'rsa-pkcs1-sha256': { scheme: 'rsa-pkcs1', hash: 'sha256', oid: OID.sha256WithRsa },
  'rsa-pkcs1-sha384': { scheme: 'rsa-pkcs1', hash: 'sha384', oid: OID.sha384WithRsa },
  'rsa-pkcs1-sha512': { scheme: 'rsa-pkcs1', hash: 'sha512', oid: OID.sha512WithRsa },
  'rsa-pss-sha256': { scheme: 'rsa-pss', hash: 'sha256', oid: OID.rsassaPss },
  'rsa-pss-sha384': { scheme: 'rsa-pss', hash: 'sha384', oid: OID.rsassaPss },
  'rsa-pss-sha512': { scheme: 'rsa-pss', hash: 'sha512', oid: OID.rsassaPss },
} as const satisfies Record<string, AlgorithmRow>;

export type SignatureAlgorithm = keyof typeof SIGNATURE_ALGORITHMS;

const NAMES = Object.keys(SIGNATURE_ALGORITHMS) as SignatureAlgorithm[];
const PSS_HASHES = { sha256: [OID.sha256, 32], sha384: [OID.sha384, 48], sha512: [OID.sha512, 64] } as const;

export function algorithmRow(algorithm: SignatureAlgorithm): AlgorithmRow {
  return SIGNATURE_ALGORITHMS[algorithm];
}

/** The algorithm we sign with when nobody asks for another: the hash that matches the key. */
export function defaultAlgorithm(key: PublicKeyKind): SignatureAlgorithm {
  if (key.kind === 'ed25519') return 'ed25519';
  if (key.kind === 'rsa') return 'rsa-pkcs1-sha256';
  if (key.kind === 'ec') return EC_DEFAULTS[key.curve];
  if (key.kind === 'ml-dsa') return `ml-dsa-${key.parameterSet}`;
  throw new HoldfastError('crypto.bad_key', { field: 'kind' });
}

const EC_DEFAULTS = {
  'P-256': 'ecdsa-p256-sha256',
  'P-384': 'ecdsa-p384-sha384',
  'P-521': 'ecdsa-p521-sha512',
} as const;
const RSA_SCHEMES: ReadonlySet<string> = new Set(['rsa-pkcs1', 'rsa-pss']);

/** Whether a key of this kind can make signatures of this algorithm. */
export function algorithmFits(algorithm: SignatureAlgorithm, key: PublicKeyKind): boolean {
  const { scheme, curve, parameterSet } = algorithmRow(algorithm);
  if (key.kind === 'ec') return scheme === 'ecdsa' && curve === key.curve;
  if (key.kind === 'rsa') return RSA_SCHEMES.has(scheme);
  if (key.kind === 'ml-dsa') return scheme === 'ml-dsa' && parameterSet === key.parameterSet;
  return key.kind === 'ed25519' && scheme === 'ed25519';
}

/** AlgorithmIdentifier for certificates, CRLs and requests, whole encoding. */
export function encodeSignatureAlgorithm(algorithm: SignatureAlgorithm): Uint8Array<ArrayBuffer> {
  const { scheme, hash, oid } = algorithmRow(algorithm);
  return scheme === 'rsa-pss' && hash !== undefined
    ? encodeAlgorithm(oid, encodePssParameters(hash))
    : encodeAlgorithm(oid);
}

const BY_ENCODING: ReadonlyMap<string, readonly SignatureAlgorithm[]> = byEncoding();

/**
 * The algorithm that an AlgorithmIdentifier and the signer's key together mean.
 *
 * @returns undefined for one outside the table (SHA-1 and MD5 are outside), for parameters other than the exact
 * ones its standard asks for, and for a key that does not fit.
 */
export function signatureAlgorithmOf(
  identifier: AlgorithmIdentifier,
  key: PublicKeyKind,
): SignatureAlgorithm | undefined {
  return BY_ENCODING.get(keyOf(identifier.raw))?.find((name) => algorithmFits(name, key));
}

function byEncoding(): Map<string, SignatureAlgorithm[]> {
  const found = new Map<string, SignatureAlgorithm[]>();
  for (const name of NAMES) {
    const key = keyOf(encodeSignatureAlgorithm(name));
    found.set(key, [...(found.get(key) ?? []), name]);
  }
  return found;
}

function keyOf(encoding: Uint8Array): string {
  return String.fromCharCode(...encoding);
}

/** RSASSA-PSS-params with MGF1 of the same hash and a salt as long as the hash (RFC 4055 3.1, RFC 5756). */
function encodePssParameters(hash: HashAlgorithm): Uint8Array<ArrayBuffer> {
  const [oid, saltLength] = PSS_HASHES[hash];
  // RFC 4055 2.1: hash identifiers here carry NULL.
  const hashIdentifier = encodeAlgorithm(oid, Uint8Array.of(5, 0));
  return encodeSequence(
    encodeContext(0, hashIdentifier),
    encodeContext(1, encodeAlgorithm(OID.mgf1, hashIdentifier)),
    encodeContext(2, encodeInteger(saltLength)),
  );
}
