import { publishedTestKey } from '@holdfast/crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import type { AcceptedImage, ImageFact, ImageVerdict } from './image-format.ts';

/** A judgement that throws its refusal, as a verdict. */
export function verdictOf(judge: () => AcceptedImage): ImageVerdict {
  try {
    return judge();
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return { kind: 'refused', code: error.code, reason: error.message, details: error.details };
  }
}

/** What a judge proved, before it is worded. */
export interface Proven {
  readonly bytes: Uint8Array;
  readonly payload: Uint8Array;
  readonly digest: Uint8Array;
  readonly keyDigest: Uint8Array;
  readonly spki: Uint8Array;
  readonly version?: string | undefined;
  readonly securityCounter?: number | undefined;
}

export function accepted({ bytes, payload, digest, keyDigest, spki, version, securityCounter }: Proven): AcceptedImage {
  return {
    kind: 'accepted',
    bytes,
    payload,
    digest: encodeHex(digest),
    keyId: encodeHex(keyDigest),
    version: version ?? '',
    securityCounter,
    testKey: publishedTestKey(spki),
  };
}

export function fact(part: string, name: string, value: string | number): ImageFact {
  return { part, name, value: String(value) };
}

export function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
