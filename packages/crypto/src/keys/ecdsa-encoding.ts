import { concatBytes, HoldfastError } from '@holdfast/kernel';
import { decodeDer, encodeSequence, encodeUnsigned } from '@holdfast/wire/asn1';

/** SEQUENCE { r, s } from r and s side by side (RFC 3279 2.2.3). */
export function ecdsaToDer(signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const half = signature.length / 2;
  return encodeSequence(encodeUnsigned(signature.subarray(0, half)), encodeUnsigned(signature.subarray(half)));
}

/**
 * r and s side by side, each `half` octets (32 for P-256, 48 for P-384).
 *
 * @throws `wire.malformed` when r or s is negative or longer.
 */
export function ecdsaFromDer(signature: Uint8Array, half: number): Uint8Array<ArrayBuffer> {
  return decodeDer(signature, 'ecdsa signature', (whole) => {
    const reader = whole.sequence('ecdsa signature');
    const [r, s] = [padded(reader.integerBytes('r'), half), padded(reader.integerBytes('s'), half)];
    reader.end('ecdsa signature');
    return concatBytes(r, s);
  });
}

function padded(content: Uint8Array, size: number): Uint8Array {
  const magnitude = content[0] === 0 ? content.subarray(1) : content;
  if ((content[0] ?? 0) >= 0x80 || magnitude.length > size) {
    throw new HoldfastError('wire.malformed', { field: 'ecdsa signature' });
  }
  const bytes = new Uint8Array(size);
  bytes.set(magnitude, size - magnitude.length);
  return bytes;
}
