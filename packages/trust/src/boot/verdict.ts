import { publishedTestKey } from '@holdfast/crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import type { AcceptedImage, ImageFact, ImageVerdict, RefusedImage, SourceVerdict } from './image-format.ts';

/** A judgement that throws its refusal, as a verdict. */
export function verdictOf(judge: () => AcceptedImage): ImageVerdict {
  try {
    return judge();
  } catch (error) {
    return refusedBy(error);
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

/** As {@link verdictOf} for an image that was never held whole. */
export async function sourceVerdictOf(
  size: number,
  judge: () => Promise<Omit<Proven, 'bytes' | 'payload'>>,
): Promise<SourceVerdict> {
  try {
    const { bytes: _bytes, payload: _payload, ...rest } = accepted({ ...(await judge()), bytes: NONE, payload: NONE });
    return { ...rest, size };
  } catch (error) {
    return refusedBy(error);
  }
}

const NONE = new Uint8Array(0);

function refusedBy(error: unknown): RefusedImage {
  if (!HoldfastError.is(error)) throw error;
  return { kind: 'refused', code: error.code, reason: error.message, details: error.details };
}
