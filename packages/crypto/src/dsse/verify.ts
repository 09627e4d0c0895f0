import { type DsseEnvelope, encodeDsseEnvelope, encodePae } from '@holdfast/wire/dsse';
import type { SignatureAlgorithm } from '../keys/algorithms.ts';
import type { PublicKey } from '../keys/public-key.ts';
import type { Signer } from '../keys/signer.ts';
import { verifySignature } from '../keys/verify.ts';
import { fingerprint } from '../primitives/hash.ts';

/** A key that may sign, by the algorithm it is trusted for. */
export interface TrustedKey {
  readonly publicKey: PublicKey;
  readonly algorithm: SignatureAlgorithm;
}

export interface DssePolicy {
  readonly payloadType: string;
  readonly keys: readonly TrustedKey[];
  /** How many different keys must have signed, at least one. */
  readonly threshold: number;
}

export type DsseVerdict =
  /** `signers` are `keyIdOf` each key that signed. */
  | { readonly kind: 'verified'; readonly payload: Uint8Array; readonly signers: readonly string[] }
  | { readonly kind: 'wrong-type' }
  | { readonly kind: 'below-threshold'; readonly signers: readonly string[]; readonly threshold: number };

/** A key's name: lower-case hex SHA-256 of its SPKI. */
export function keyIdOf(spki: Uint8Array): string {
  return fingerprint(spki);
}

/**
 * Counts the different trusted keys that signed an envelope.
 *
 * A key counts once however often it signs or is listed, and whatever key id the envelope claims: the id is not signed.
 */
export function verifyDsse(envelope: DsseEnvelope, { payloadType, keys, threshold }: DssePolicy): DsseVerdict {
  if (envelope.payloadType !== payloadType) return { kind: 'wrong-type' };
  const message = encodePae(payloadType, envelope.payload);
  const signers = new Set<string>();
  for (const { publicKey, algorithm } of keys) {
    const id = keyIdOf(publicKey.spki);
    const hasSigned =
      !signers.has(id) &&
      envelope.signatures.some(({ signature }) => verifySignature(algorithm, publicKey, message, signature));
    if (hasSigned) signers.add(id);
  }
  const found = [...signers];
  if (threshold < 1 || found.length < threshold) return { kind: 'below-threshold', signers: found, threshold };
  return { kind: 'verified', payload: envelope.payload, signers: found };
}

/** Signs a payload with every signer: the envelope's bytes. */
export async function signDsse(
  payloadType: string,
  payload: Uint8Array,
  signers: readonly Signer[],
): Promise<Uint8Array<ArrayBuffer>> {
  const message = encodePae(payloadType, payload);
  const signatures = await Promise.all(
    signers.map(async (signer) => ({
      keyId: keyIdOf(signer.publicKeySpki),
      signature: await signer.sign(message),
    })),
  );
  return encodeDsseEnvelope({ payloadType, payload, signatures });
}
