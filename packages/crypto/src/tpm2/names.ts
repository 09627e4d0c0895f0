import { concatBytes, HoldfastError } from '@holdfast/kernel';
import { encodeTpmPublic, TPM_CURVES, TPM_HASHES, type TpmPublic } from '@holdfast/wire/tpm2';
import { encodeEcSpki, encodeRsaSpki } from '@holdfast/wire/x509';
import { digest } from '../primitives/hash.ts';

/** The name of an object: its hash's id, then the hash of its public area (TPM 2.0 part 1, 16). */
export function tpmName(area: TpmPublic): Uint8Array<ArrayBuffer> {
  const { id } = TPM_HASHES[area.nameHash];
  return concatBytes(Uint8Array.of(id >> 8, id & 0xff), digest(area.nameHash, encodeTpmPublic(area)));
}

/** SubjectPublicKeyInfo (DER) of the key. @throws `crypto.bad_key` for a template, which has no key yet */
export function tpmSpki(area: TpmPublic): Uint8Array<ArrayBuffer> {
  if (area.type === 'rsa') {
    if (area.modulus.length !== area.bits / 8) throw new HoldfastError('crypto.bad_key', { field: 'modulus' });
    return encodeRsaSpki({ modulus: area.modulus, exponent: Uint8Array.of(1, 0, 1) });
  }
  const { size } = TPM_CURVES[area.curve];
  if (area.x.length === 0 || area.y.length === 0) throw new HoldfastError('crypto.bad_key', { field: 'point' });
  return encodeEcSpki(area.curve, concatBytes(Uint8Array.of(4), leftPad(area.x, size), leftPad(area.y, size)));
}

/** A TPM drops leading zeros of numbers or keeps them; elsewhere they have one length. */
export function leftPad(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  if (bytes.length > length) throw new HoldfastError('crypto.bad_key', { field: 'length' });
  const padded = new Uint8Array(length);
  padded.set(bytes, length - bytes.length);
  return padded;
}
