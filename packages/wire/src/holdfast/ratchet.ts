import { concatBytes, HoldfastError } from '@holdfast/kernel';

/** Bytes of one value: 32 random ones and a code of 16 by which the server knows its own. */
export const RATCHET_VALUE_BYTES = 48;

/** User name of an MQTT CONNECT whose password is a proof. */
export const RATCHET_USER_NAME = 'holdfast-ratchet';

/** HTTP header that carries a proof in base64. */
export const RATCHET_HEADER = 'holdfast-ratchet';

const MOST_VALUES = 2;

/**
 * What a device shows at each connection: the value it holds, and before it the one it may have changed to since.
 *
 * @param values - one or two values of `RATCHET_VALUE_BYTES`
 */
export function encodeRatchetProof(values: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...values);
}

/**
 * @returns one or two values
 * @throws `request.invalid` for any other length
 */
export function decodeRatchetProof(bytes: Uint8Array): readonly Uint8Array[] {
  const count = bytes.length / RATCHET_VALUE_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > MOST_VALUES) {
    throw new HoldfastError('request.invalid', { field: 'ratchet', length: bytes.length });
  }
  return Array.from({ length: count }, (_, at) =>
    bytes.subarray(at * RATCHET_VALUE_BYTES, (at + 1) * RATCHET_VALUE_BYTES),
  );
}
