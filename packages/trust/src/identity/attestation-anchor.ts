import { importPublicKey } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';

/**
 * An anchor that no evidence can lead to would keep its device restricted for ever, and nobody would know why.
 *
 * @throws `request.invalid`
 */
export function checkAttestationAnchor(spki: Uint8Array, ueid: string | undefined): void {
  if (ueid === undefined) throw new HoldfastError('request.invalid', { field: 'ueid' });
  if (!isP256(spki)) throw new HoldfastError('request.invalid', { field: 'attestationAnchor' });
}

function isP256(spki: Uint8Array): boolean {
  try {
    const { kind } = importPublicKey(spki);
    return kind.kind === 'ec' && kind.curve === 'P-256';
  } catch (error) {
    if (HoldfastError.is(error)) return false;
    throw error;
  }
}
