import { concatBytes, equalBytes, HoldfastError } from '@holdfast/kernel';
import {
  decodeTpmAttest,
  decodeTpmSignature,
  hasAttributes,
  TPM_CURVES,
  TPM_OBJECT,
  type TpmAttest,
  type TpmPublic,
  type TpmSignature,
} from '@holdfast/wire/tpm2';
import type { SignatureAlgorithm } from '../keys/algorithms.ts';
import { importPublicKey } from '../keys/public-key.ts';
import { verifySignature } from '../keys/verify.ts';
import { leftPad, tpmName, tpmSpki } from './names.ts';

/**
 * Whether a key signs only what its TPM made: fixed to the TPM, made in it, restricted, signing and not decrypting.
 *
 * The attack stopped: a key that anybody can make sign a structure that looks like a quote.
 */
export function isAttestationKey(area: TpmPublic): boolean {
  const { restricted, decrypt } = TPM_OBJECT;
  return (
    isTpmSigningKey(area) &&
    hasAttributes(area, restricted) &&
    !hasAttributes(area, decrypt) &&
    area.scheme.kind !== 'any'
  );
}

/** Whether a key signs and cannot leave its TPM. */
export function isTpmSigningKey(area: TpmPublic): boolean {
  const { fixedTpm, fixedParent, sensitiveDataOrigin, sign } = TPM_OBJECT;
  return hasAttributes(area, fixedTpm, fixedParent, sensitiveDataOrigin, sign);
}

export type AttestRefusal = 'malformed' | 'key' | 'signature';

export type AttestVerdict<K extends TpmAttest['kind']> =
  | { readonly kind: 'attested'; readonly attest: TpmAttest & { readonly kind: K } }
  | { readonly kind: 'refused'; readonly reason: AttestRefusal; readonly detail: string };

/** What a TPM said and how it signed it, as it came: TPMS_ATTEST and TPMT_SIGNATURE. */
export interface SignedAttest {
  readonly attest: Uint8Array;
  readonly signature: Uint8Array;
}

/** Judges form, key and signature of one attestation. Never throws. */
export function verifyAttest<K extends TpmAttest['kind']>(
  { attest, signature }: SignedAttest,
  signer: TpmPublic,
  kind: K,
): AttestVerdict<K> {
  try {
    const read = decodeTpmAttest(attest);
    if (read.kind !== kind) return refused('malformed', 'type');
    if (!isAttestationKey(signer)) return refused('key', 'attributes');
    if (!isSignedBy(signer, attest, decodeTpmSignature(signature))) return refused('signature', 'signature');
    return { kind: 'attested', attest: read as TpmAttest & { readonly kind: K } };
  } catch (error) {
    if (HoldfastError.is(error)) return refused('malformed', String(error.details['field'] ?? error.code));
    throw error;
  }
}

/** Whether `certification` says that the object with this public area is loaded in the attestation key's TPM. */
export function verifyCertified(
  certification: SignedAttest,
  {
    attestationKey,
    object,
    data,
  }: { readonly attestationKey: TpmPublic; readonly object: TpmPublic; readonly data: Uint8Array },
): { readonly kind: 'certified' } | { readonly kind: 'refused'; readonly reason: AttestRefusal | 'name' | 'data' } {
  const verdict = verifyAttest(certification, attestationKey, 'certify');
  if (verdict.kind === 'refused') return verdict;
  if (!equalBytes(verdict.attest.name, tpmName(object))) return { kind: 'refused', reason: 'name' };
  if (!equalBytes(verdict.attest.extraData, data)) return { kind: 'refused', reason: 'data' };
  return { kind: 'certified' };
}

/** The algorithm a key's scheme fixes; undefined for one we do not verify. */
export function tpmSignatureAlgorithm({ scheme, ...key }: TpmPublic): SignatureAlgorithm | undefined {
  if (scheme.kind === 'any') return undefined;
  if (key.type === 'ecc') return scheme.kind === 'ecdsa' ? ECDSA[key.curve][scheme.hash] : undefined;
  return scheme.kind === 'rsassa'
    ? `rsa-pkcs1-${scheme.hash}`
    : scheme.kind === 'rsapss'
      ? `rsa-pss-${scheme.hash}`
      : undefined;
}

const ECDSA = {
  'P-256': { sha256: 'ecdsa-p256-sha256', sha384: 'ecdsa-p256-sha384', sha512: 'ecdsa-p256-sha512' },
  'P-384': { sha256: 'ecdsa-p384-sha256', sha384: 'ecdsa-p384-sha384', sha512: 'ecdsa-p384-sha512' },
  'P-521': { sha256: 'ecdsa-p521-sha256', sha384: 'ecdsa-p521-sha384', sha512: 'ecdsa-p521-sha512' },
} as const;

/** The algorithm comes from the key's scheme; a signature that names another one is refused. */
function isSignedBy(signer: TpmPublic, message: Uint8Array, signature: TpmSignature): boolean {
  const algorithm = tpmSignatureAlgorithm(signer);
  const { scheme } = signer;
  if (algorithm === undefined || scheme.kind !== signature.scheme || scheme.hash !== signature.hash) return false;
  const bytes = signatureBytes(signer, signature);
  return verifySignature(algorithm, importPublicKey(tpmSpki(signer)), message, bytes, 'ieee-p1363');
}

function signatureBytes(signer: TpmPublic, signature: TpmSignature): Uint8Array {
  if (signature.scheme !== 'ecdsa') return signature.signature;
  const size = signer.type === 'ecc' ? TPM_CURVES[signer.curve].size : 0;
  return concatBytes(leftPad(signature.r, size), leftPad(signature.s, size));
}

function refused(reason: AttestRefusal, detail: string) {
  return { kind: 'refused', reason, detail } as const;
}
