import { HoldfastError } from '@holdfast/kernel';
import { importPublicKey, type PublicKey } from '../keys/public-key.ts';
import { sha256 } from '../primitives/hash.ts';

/** A P-256 key as Nordic's bootloaders hold it. */
export interface NordicPublicKey {
  readonly key: PublicKey;
  /** X and Y, 32 bytes each, big endian. */
  readonly point: Uint8Array;
  /** SHA-256 of X and Y; NSIB provisions its first 16 bytes. */
  readonly digest: Uint8Array;
}

/** @throws `boot.unsupported_key` for anything but P-256, `crypto.bad_key` */
export function nordicPublicKey(spki: Uint8Array): NordicPublicKey {
  const key = importPublicKey(spki);
  if (key.kind.kind !== 'ec' || key.kind.curve !== 'P-256')
    throw new HoldfastError('boot.unsupported_key', { type: key.kind.kind });
  const point = key.spki.subarray(-64);
  return { key, point, digest: sha256(point) };
}

const NSIB_KEY_HASH = 16;

/** What the provision page holds for a key (sdk-nrf scripts/bootloader/provision.py). */
export function nsibKeyHash({ digest }: NordicPublicKey): Uint8Array {
  return digest.subarray(0, NSIB_KEY_HASH);
}

/** The key as the C array `pk` of an nRF5 SDK bootloader: X and Y, little endian each. */
export function nrf5KeyBytes({ point }: NordicPublicKey): Uint8Array {
  return swapHalves(point);
}

/** Turns r and s, or X and Y, between the two byte orders. */
export function swapHalves(pair: Uint8Array): Uint8Array<ArrayBuffer> {
  const swapped = new Uint8Array(64);
  swapped.set(pair.subarray(0, 32).toReversed());
  swapped.set(pair.subarray(32).toReversed(), 32);
  return swapped;
}
