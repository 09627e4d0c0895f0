import { hkdf } from '@holdfast/crypto';
import { encodeUtf8 } from '@holdfast/kernel';
import type { Foundation } from './foundation.ts';

/** 32 bytes for one purpose, the same on every node that has the root key. */
export function derivedKey({ ticketSecret }: Pick<Foundation, 'ticketSecret'>, purpose: string): Uint8Array {
  const info = encodeUtf8(`holdfast/${purpose}`);
  return hkdf('sha256', { key: ticketSecret, salt: new Uint8Array(0), info, length: 32 });
}
