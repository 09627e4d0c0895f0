import { HoldfastError } from '@holdfast/kernel';
import { ecdsaFromDer } from '../keys/ecdsa-encoding.ts';

/** r and s, 32 bytes each, of a signer's DER. @throws `boot.signature_encoding` */
export function rawP256(signature: Uint8Array): Uint8Array<ArrayBuffer> {
  try {
    return ecdsaFromDer(signature, 32);
  } catch (cause) {
    throw new HoldfastError('boot.signature_encoding', { field: 'DER' }, { cause });
  }
}
