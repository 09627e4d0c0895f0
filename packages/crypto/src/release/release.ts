import { HoldfastError } from '@holdfast/kernel';
import { decodeDsseEnvelope, type DsseEnvelope } from '@holdfast/wire/dsse';
import {
  decodeReleaseManifest,
  decodeReleaseRoot,
  encodeReleaseManifest,
  encodeReleaseRoot,
  MANIFEST_PAYLOAD_TYPE,
  type ReleaseManifest,
  type ReleaseRoot,
  ROOT_PAYLOAD_TYPE,
} from '@holdfast/wire/manifest';
import { type DsseVerdict, signDsse, type TrustedKey, verifyDsse } from '../dsse/verify.ts';
import { defaultAlgorithm } from '../keys/algorithms.ts';
import { importPublicKey } from '../keys/public-key.ts';
import type { Signer } from '../keys/signer.ts';

/** Why a document signed under a release root is not to be believed. */
type ReleaseRefusal = 'malformed' | 'wrong-type' | 'below-threshold';

export type ManifestVerdict =
  | { readonly kind: 'accepted'; readonly manifest: ReleaseManifest; readonly signers: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: ReleaseRefusal };

export type RootVerdict =
  | { readonly kind: 'accepted'; readonly root: ReleaseRoot }
  | { readonly kind: 'refused'; readonly reason: ReleaseRefusal | 'version' };

/** A DSSE envelope (JSON bytes) around a manifest, signed by every signer. */
export function signReleaseManifest(manifest: ReleaseManifest, signers: readonly Signer[]): Promise<Uint8Array> {
  return signDsse(MANIFEST_PAYLOAD_TYPE, encodeReleaseManifest(manifest), signers);
}

/** A DSSE envelope around a root; for a change, signers of the old and of the new root. */
export function signReleaseRoot(root: ReleaseRoot, signers: readonly Signer[]): Promise<Uint8Array> {
  return signDsse(ROOT_PAYLOAD_TYPE, encodeReleaseRoot(root), signers);
}

/** @param envelope - JSON bytes of the DSSE envelope; nothing in it is read before its signatures are counted */
export function verifyReleaseManifest(envelope: Uint8Array, root: ReleaseRoot): ManifestVerdict {
  return judged(envelope, (decoded) => {
    const verdict = check(decoded, MANIFEST_PAYLOAD_TYPE, root);
    if (verdict.kind !== 'verified') return { kind: 'refused', reason: verdict.kind };
    return { kind: 'accepted', manifest: decodeReleaseManifest(verdict.payload), signers: verdict.signers };
  });
}

/**
 * Judges the next root: signed by a threshold of the current root and by a threshold of its own, one version on.
 *
 * The caller keeps the new root only after it was accepted, and starts from the current one again after any refusal.
 *
 * @see TUF specification 5.3 (root N+1 under the keys of N and N+1)
 */
export function verifyRootChange(envelope: Uint8Array, current: ReleaseRoot): RootVerdict {
  return judged(envelope, (decoded) => {
    const byOld = check(decoded, ROOT_PAYLOAD_TYPE, current);
    if (byOld.kind !== 'verified') return { kind: 'refused', reason: byOld.kind };
    const root = decodeReleaseRoot(byOld.payload);
    if (root.version !== current.version + 1) return { kind: 'refused', reason: 'version' };
    const byNew = check(decoded, ROOT_PAYLOAD_TYPE, root);
    return byNew.kind === 'verified' ? { kind: 'accepted', root } : { kind: 'refused', reason: byNew.kind };
  });
}

function check(envelope: DsseEnvelope, payloadType: string, { keys, threshold }: ReleaseRoot): DsseVerdict {
  return verifyDsse(envelope, { payloadType, keys: keys.map(trusted), threshold });
}

function trusted(spki: Uint8Array): TrustedKey {
  const publicKey = importPublicKey(spki);
  return { publicKey, algorithm: defaultAlgorithm(publicKey.kind) };
}

function judged<T>(
  envelope: Uint8Array,
  judge: (decoded: DsseEnvelope) => T,
): T | { readonly kind: 'refused'; readonly reason: 'malformed' } {
  try {
    return judge(decodeDsseEnvelope(envelope));
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return { kind: 'refused', reason: 'malformed' };
  }
}
