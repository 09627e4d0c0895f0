import { HoldfastError } from '@holdfast/kernel';
import {
  decodeDer,
  type DerReader,
  encodeBitString,
  encodeOid,
  encodeSequence,
  encodeUnsigned,
  TAG,
} from '../asn1/index.ts';
import { type AlgorithmIdentifier, encodeAlgorithm, readAlgorithm } from './algorithm.ts';
import { OID } from './oids.ts';

/** SubjectPublicKeyInfo (RFC 5280 4.1.2.7); `key` is the content of the BIT STRING. */
export interface SubjectPublicKeyInfo {
  readonly algorithm: AlgorithmIdentifier;
  readonly key: Uint8Array;
  readonly raw: Uint8Array;
}

/** What kind of key an SPKI holds, as far as bytes tell: whether a point lies on its curve is for crypto to say. */
export type PublicKeyKind =
  | { readonly kind: 'ec'; readonly curve: 'P-256' | 'P-384' | 'P-521'; readonly point: Uint8Array }
  | { readonly kind: 'rsa'; readonly modulusBits: number; readonly modulus: Uint8Array; readonly exponent: bigint }
  | { readonly kind: 'ed25519' | 'x25519'; readonly key: Uint8Array }
  | { readonly kind: 'ml-dsa'; readonly parameterSet: '44' | '65' | '87'; readonly key: Uint8Array }
  | { readonly kind: 'other'; readonly algorithm: string };

/** RSAPublicKey (RFC 8017 A.1.1); magnitudes without leading zeros. */
export interface RsaPublicKey {
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
}

const CURVES: Readonly<Record<string, { readonly curve: 'P-256' | 'P-384' | 'P-521'; readonly octets: number }>> = {
  [OID.secp256r1]: { curve: 'P-256', octets: 32 },
  [OID.secp384r1]: { curve: 'P-384', octets: 48 },
  [OID.secp521r1]: { curve: 'P-521', octets: 66 },
};

/** ML-DSA public keys by algorithm, with their length (RFC 9881 section 4). */
const ML_DSA: Readonly<Record<string, { readonly parameterSet: '44' | '65' | '87'; readonly octets: number }>> = {
  [OID.mlDsa44]: { parameterSet: '44', octets: 1312 },
  [OID.mlDsa65]: { parameterSet: '65', octets: 1952 },
  [OID.mlDsa87]: { parameterSet: '87', octets: 2592 },
};

export function readSpki(reader: DerReader, field = 'subjectPublicKeyInfo'): SubjectPublicKeyInfo {
  return decodeSpki(reader.element(field).raw, field);
}

export function decodeSpki(raw: Uint8Array, field = 'subjectPublicKeyInfo'): SubjectPublicKeyInfo {
  return decodeDer(raw, field, (whole) => {
    const reader = whole.sequence(field);
    const algorithm = readAlgorithm(reader, `${field}.algorithm`);
    const key = reader.octetBitString(`${field}.subjectPublicKey`);
    reader.end(field);
    return { algorithm, key, raw };
  });
}

/** SPKI of an uncompressed point (RFC 5480). @throws `wire.malformed` when the point's length does not fit the curve. */
export function encodeEcSpki(curve: 'P-256' | 'P-384' | 'P-521', point: Uint8Array): Uint8Array<ArrayBuffer> {
  const found = Object.entries(CURVES).find(([, row]) => row.curve === curve);
  if (found === undefined || point.length !== 1 + 2 * found[1].octets || point[0] !== 4) {
    throw new HoldfastError('wire.malformed', { field: 'ec point' });
  }
  return encodeSequence(encodeAlgorithm(OID.ecPublicKey, encodeOid(found[0])), encodeBitString(point));
}

/** SPKI of a 32-byte Ed25519 or X25519 key (RFC 8410). */
export function encodeEdwardsSpki(kind: 'ed25519' | 'x25519', key: Uint8Array): Uint8Array<ArrayBuffer> {
  if (key.length !== 32) throw new HoldfastError('wire.malformed', { field: kind });
  return encodeSequence(encodeAlgorithm(OID[kind]), encodeBitString(key));
}

/** SPKI of an RSA key (RFC 3279 2.3.1). */
export function encodeRsaSpki(key: RsaPublicKey): Uint8Array<ArrayBuffer> {
  return encodeSequence(encodeAlgorithm(OID.rsaEncryption), encodeBitString(encodeRsaPublicKey(key)));
}

/**
 * Reads the key inside an SPKI.
 *
 * @throws `wire.malformed` when the key does not have its algorithm's form: EC parameters that are not a curve's
 * name (explicit curves are how CVE-2020-0601 forged keys), a compressed point, RSA parameters other than NULL.
 */
export function publicKeyKind(spki: SubjectPublicKeyInfo): PublicKeyKind {
  const { oid, parameters } = spki.algorithm;
  if (oid === OID.ecPublicKey) return ecKey(spki.key, parameters);
  if (oid === OID.rsaEncryption) return rsaKey(spki.key, parameters);
  const mlDsa = ML_DSA[oid];
  if (mlDsa !== undefined) return mlDsaKey(mlDsa, spki.key, parameters);
  if (oid !== OID.ed25519 && oid !== OID.x25519) return { kind: 'other', algorithm: oid };
  if (parameters !== undefined || spki.key.length !== 32) {
    throw new HoldfastError('wire.malformed', { field: 'subjectPublicKey', reason: 'edwards key' });
  }
  return { kind: oid === OID.ed25519 ? 'ed25519' : 'x25519', key: spki.key };
}

export function decodeRsaPublicKey(bytes: Uint8Array): RsaPublicKey {
  return decodeDer(bytes, 'rsaPublicKey', (whole) => {
    const reader = whole.sequence('rsaPublicKey');
    const modulus = readPositive(reader, 'modulus');
    const exponent = readPositive(reader, 'publicExponent');
    reader.end('rsaPublicKey');
    return { modulus, exponent };
  });
}

export function encodeRsaPublicKey({ modulus, exponent }: RsaPublicKey): Uint8Array<ArrayBuffer> {
  return encodeSequence(encodeUnsigned(modulus), encodeUnsigned(exponent));
}

function ecKey(point: Uint8Array, parameters: Uint8Array | undefined): PublicKeyKind {
  const isNamed = parameters !== undefined && parameters[0] === TAG.oid;
  if (!isNamed) throw new HoldfastError('wire.malformed', { field: 'ecParameters', reason: 'not a named curve' });
  const name = decodeDer(parameters, 'ecParameters', (reader) => reader.oid('namedCurve'));
  const row = CURVES[name];
  if (row === undefined) return { kind: 'other', algorithm: name };
  if (point[0] !== 4 || point.length !== 1 + 2 * row.octets) {
    throw new HoldfastError('wire.malformed', { field: 'ecPoint' });
  }
  return { kind: 'ec', curve: row.curve, point };
}

function mlDsaKey(
  { parameterSet, octets }: { readonly parameterSet: '44' | '65' | '87'; readonly octets: number },
  key: Uint8Array,
  parameters: Uint8Array | undefined,
): PublicKeyKind {
  if (parameters !== undefined || key.length !== octets) {
    throw new HoldfastError('wire.malformed', { field: 'subjectPublicKey', reason: 'ml-dsa key' });
  }
  return { kind: 'ml-dsa', parameterSet, key };
}

function rsaKey(key: Uint8Array, parameters: Uint8Array | undefined): PublicKeyKind {
  if (parameters === undefined || parameters.length !== 2 || parameters[0] !== TAG.null) {
    throw new HoldfastError('wire.malformed', { field: 'rsaParameters' });
  }
  const { modulus, exponent } = decodeRsaPublicKey(key);
  if (exponent.length > 8) throw new HoldfastError('wire.too_large', { field: 'publicExponent', limit: 8 });
  const modulusBits = 8 * modulus.length - Math.clz32(modulus[0] ?? 0) + 24;
  const exponentValue = exponent.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
  return { kind: 'rsa', modulusBits, modulus, exponent: exponentValue };
}

function readPositive(reader: DerReader, field: string): Uint8Array {
  const content = reader.integerBytes(field);
  const first = content[0] ?? 0;
  if (first >= 0x80 || (first === 0 && content.length === 1)) throw new HoldfastError('wire.malformed', { field });
  return first === 0 ? content.subarray(1) : content;
}
