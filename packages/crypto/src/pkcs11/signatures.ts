import { HoldfastError } from '@holdfast/kernel';
import { encodeNull, encodeOctetString, encodeSequence } from '@holdfast/wire/asn1';
import { encodeAlgorithm, OID } from '@holdfast/wire/x509';
import { algorithmRow, type SignatureAlgorithm } from '../keys/algorithms.ts';
import { ecdsaToDer } from '../keys/ecdsa-encoding.ts';
import { plainBytes } from '../primitives/bytes.ts';
import { digest } from '../primitives/hash.ts';
import { CK, type Pkcs11Mechanism } from './module.ts';

/** What a token is told to sign, and by which mechanism. */
export interface Pkcs11SignOrder {
  readonly mechanism: Pkcs11Mechanism;
  readonly data: Uint8Array;
  /** Longest signature there can be, in octets. */
  readonly room: number;
}

/** pkcs11js's own number of CK_RSA_PKCS_PSS_PARAMS. */
const PSS_PARAMETERS = 5;
const LONGEST_RSA = 1024;
const PSS = {
  sha256: { hashAlg: CK.sha256, mgf: CK.mgfSha256, saltLen: 32 },
  sha384: { hashAlg: CK.sha384, mgf: CK.mgfSha384, saltLen: 48 },
  sha512: { hashAlg: CK.sha512, mgf: CK.mgfSha512, saltLen: 64 },
} as const;
const HASH_OIDS = { sha256: OID.sha256, sha384: OID.sha384, sha512: OID.sha512 } as const;

/**
 * Words a signature for a token. The hash is made here: many tokens have no mechanism that hashes.
 *
 * @throws `crypto.unsupported_algorithm` for anything but ECDSA and RSA
 */
export function pkcs11SignOrder(algorithm: SignatureAlgorithm, bytes: Uint8Array): Pkcs11SignOrder {
  const { scheme, hash } = algorithmRow(algorithm);
  if (hash !== 'sha256' && hash !== 'sha384' && hash !== 'sha512') {
    throw new HoldfastError('crypto.unsupported_algorithm', { algorithm });
  }
  const hashed = digest(hash, bytes);
  if (scheme === 'ecdsa') return { mechanism: { mechanism: CK.ecdsa }, data: hashed, room: 132 };
  if (scheme === 'rsa-pss') {
    const parameter = { type: PSS_PARAMETERS, ...PSS[hash] };
    return { mechanism: { mechanism: CK.rsaPss, parameter }, data: hashed, room: LONGEST_RSA };
  }
  // DigestInfo (RFC 8017 9.2).
  const data = encodeSequence(encodeAlgorithm(HASH_OIDS[hash], encodeNull()), encodeOctetString(hashed));
  return { mechanism: { mechanism: CK.rsaPkcs }, data, room: LONGEST_RSA };
}

/** What the token gave, in the form that a `Signer` gives. */
export function pkcs11Signature(algorithm: SignatureAlgorithm, raw: Uint8Array): Uint8Array<ArrayBuffer> {
  return algorithmRow(algorithm).scheme === 'ecdsa' ? ecdsaToDer(raw) : plainBytes(raw);
}
