import { sha256 } from '@holdfast/crypto';
import { encodeHex, encodeUtf8 } from '@holdfast/kernel';

/** A policy a template spells out is kept under the hash of its document, as AWS names it. */
export function policyNameOf(document: string): string {
  return encodeHex(sha256(encodeUtf8(document)));
}
