import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { readSized, writeSized } from './fields.ts';

/** What TPM2_MakeCredential gives: a secret that one TPM opens, and only for the object with one name. */
export interface TpmCredential {
  /** Content of TPM2B_ID_OBJECT: integrity and encrypted identity. */
  readonly idObject: Uint8Array;
  /** Content of TPM2B_ENCRYPTED_SECRET: a point, or an RSA ciphertext. */
  readonly encryptedSecret: Uint8Array;
}

export interface TpmIdObject {
  readonly integrity: Uint8Array;
  readonly encIdentity: Uint8Array;
}

/** TPMS_ID_OBJECT: the encrypted part takes what is left, without a size of its own (TPM 2.0 part 2, 12.4.2). */
export function encodeTpmIdObject({ integrity, encIdentity }: TpmIdObject): Uint8Array<ArrayBuffer> {
  return writeSized(new ByteWriter(128), integrity).bytes(encIdentity).finish();
}

export function decodeTpmIdObject(bytes: Uint8Array): TpmIdObject {
  const reader = new ByteReader(bytes);
  const integrity = readSized(reader, 'integrity', 64);
  return { integrity, encIdentity: reader.take(reader.remaining, 'encIdentity') };
}

/** TPMS_ECC_POINT. */
export function encodeTpmPoint(x: Uint8Array, y: Uint8Array): Uint8Array<ArrayBuffer> {
  return writeSized(writeSized(new ByteWriter(72), x), y).finish();
}

export function decodeTpmPoint(bytes: Uint8Array): { readonly x: Uint8Array; readonly y: Uint8Array } {
  const reader = new ByteReader(bytes);
  const point = { x: readSized(reader, 'x', 66), y: readSized(reader, 'y', 66) };
  reader.end('point');
  return point;
}
