import { HoldfastError } from '@holdfast/kernel';
import { type CborValue, decodeCborMap, encodeCbor } from '@holdfast/wire/cbor';
import { type McubootPublicKey, mcubootPublicKey } from '../mcuboot/index.ts';

const NAME = 'holdfast-bootloader';
const MAX_KEYS = 4;

/**
 * The payload of a virtual device's bootloader image: the public keys it accepts application images from.
 *
 * It is signed as an MCUboot image with the boot key whose hash is in the fuses, so the keys are as trusted as code.
 *
 * @param imageKeys - SubjectPublicKeyInfo, DER
 */
export function encodeBootProgram(imageKeys: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return encodeCbor(
    new Map<number, CborValue>([
      [1, NAME],
      [2, imageKeys],
    ]),
  );
}

/** @throws `wire.malformed` for anything but a program, `crypto.bad_key` for a key that is none */
export function decodeBootProgram(payload: Uint8Array): readonly McubootPublicKey[] {
  const program = decodeCborMap(payload);
  const keys = program.get(2);
  if (
    program.get(1) !== NAME ||
    program.size !== 2 ||
    !Array.isArray(keys) ||
    keys.length === 0 ||
    keys.length > MAX_KEYS
  ) {
    throw new HoldfastError('wire.malformed', { field: 'boot program' });
  }
  return keys.map((key: CborValue) => {
    if (!(key instanceof Uint8Array)) throw new HoldfastError('wire.malformed', { field: 'boot program key' });
    return mcubootPublicKey(key);
  });
}
