import { hash as digestOf } from 'node:crypto';
import type { McubootHash } from '@holdfast/wire/mcuboot';

/** The digest as plain bytes. */
export function digest(hash: McubootHash, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(digestOf(hash, bytes, 'buffer'));
}
