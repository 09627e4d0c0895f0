import { equalBytes, HoldfastError } from '@holdfast/kernel';
import {
  decodeSuitEnvelope,
  encodeSuitEnvelope,
  encodeSuitManifest,
  type SuitAlgorithm,
  type SuitManifest,
  suitDigestInput,
  suitToBeSigned,
} from '@holdfast/wire/suit';
import type { SignatureAlgorithm } from '../keys/algorithms.ts';
import { ecdsaFromDer } from '../keys/ecdsa-encoding.ts';
import { importPublicKey, type PublicKey } from '../keys/public-key.ts';
import { verifySignature } from '../keys/verify.ts';
import { sha256 } from '../primitives/hash.ts';

interface SuitScheme {
  readonly cose: SuitAlgorithm;
  readonly algorithm: SignatureAlgorithm;
  /** Bytes of r and of s; undefined where a signature is no pair. */
  readonly half: number | undefined;
}

const SCHEMES = {
  'P-256': { cose: 'ES256', algorithm: 'ecdsa-p256-sha256', half: 32 },
  'P-384': { cose: 'ES384', algorithm: 'ecdsa-p384-sha384', half: 48 },
  ed25519: { cose: 'EdDSA', algorithm: 'ed25519', half: undefined },
} as const satisfies Readonly<Record<string, SuitScheme>>;

/** An envelope laid out and waiting for its signature. */
export interface PreparedSuitEnvelope {
  readonly algorithm: SignatureAlgorithm;
  /** The message that the algorithm itself hashes. */
  readonly message: Uint8Array;
  /** @param signature - an ECDSA signature as DER. @throws `boot.signature_encoding` */
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

/**
 * Lays a SUIT envelope out and says what has to be signed.
 *
 * @throws `boot.unsupported_key` for anything but P-256, P-384 and Ed25519; as {@link encodeSuitManifest}
 */
export function prepareSuitEnvelope(manifest: SuitManifest, spki: Uint8Array): PreparedSuitEnvelope {
  const { cose, algorithm, half } = schemeOf(importPublicKey(spki));
  const manifestBytes = encodeSuitManifest(manifest);
  const digest = sha256(suitDigestInput(manifestBytes));
  return {
    algorithm,
    message: suitToBeSigned(cose, digest),
    finish: (signature) =>
      encodeSuitEnvelope({ manifestBytes, digest, algorithm: cose, signature: plainSignature(signature, half) }),
  };
}

/**
 * Judges an envelope: its digest is the manifest's, one of the keys signed it, its sequence is not below the floor.
 *
 * @param keys - SubjectPublicKeyInfo each.
 * @throws `boot.hash_mismatch`, `boot.bad_signature`, `boot.counter_too_low`, `boot.unsupported_key`, and the decoder's errors
 */
export function verifySuitEnvelope(bytes: Uint8Array, keys: readonly Uint8Array[], minSequence = 0): SuitManifest {
  const { manifest, manifestBytes, algorithm, digest, signature } = decodeSuitEnvelope(bytes);
  if (!equalBytes(sha256(suitDigestInput(manifestBytes)), digest))
    throw new HoldfastError('boot.hash_mismatch', { field: 'manifest' });
  const message = suitToBeSigned(algorithm, digest);
  const isSigned = keys.map(importPublicKey).some((key) => {
    const scheme = schemeOf(key);
    return scheme.cose === algorithm && verifySignature(scheme.algorithm, key, message, signature, 'ieee-p1363');
  });
  if (!isSigned) throw new HoldfastError('boot.bad_signature', { keys: keys.length });
  if (manifest.sequence < minSequence)
    throw new HoldfastError('boot.counter_too_low', { counter: manifest.sequence, minCounter: minSequence });
  return manifest;
}

function schemeOf({ kind }: PublicKey): SuitScheme {
  if (kind.kind === 'ed25519') return SCHEMES.ed25519;
  if (kind.kind === 'ec' && kind.curve !== 'P-521') return SCHEMES[kind.curve];
  throw new HoldfastError('boot.unsupported_key', { key: kind.kind });
}

function plainSignature(signature: Uint8Array, half: number | undefined): Uint8Array {
  if (half === undefined) return signature;
  try {
    return ecdsaFromDer(signature, half);
  } catch (cause) {
    throw new HoldfastError('boot.signature_encoding', { field: 'DER' }, { cause });
  }
}
