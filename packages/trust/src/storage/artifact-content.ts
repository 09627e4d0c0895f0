import { createDigest, type SealContext, type SealedSource } from '@holdfast/crypto';
import { concatBytes, encodeHex, HoldfastError } from '@holdfast/kernel';
import type { ArtifactRecord, AuditActor, OpenBlob, Sha256Hex, Tenant } from '../ports/index.ts';

/** One chunk of a sealed stream. */
export const PIECE = 1024 * 1024;

export interface NewArtifact {
  readonly tenant: Tenant;
  readonly actor: AuditActor;
  readonly content: AsyncIterable<Uint8Array>;
  /** More is refused as soon as it arrives. */
  readonly maxBytes: number;
  /** What the sender announced. */
  readonly expected?: { readonly size?: number; readonly sha256?: Sha256Hex } | undefined;
}

/** Content that is counted, hashed and held against what was announced while it passes. */
export class MeasuredContent {
  readonly #wish: NewArtifact;
  size = 0;
  sha256 = '';

  constructor(wish: NewArtifact) {
    this.#wish = wish;
  }

  async *read(): AsyncGenerator<Uint8Array> {
    const { content, maxBytes, expected } = this.#wish;
    const limit = Math.min(maxBytes, expected?.size ?? maxBytes);
    const digest = createDigest('sha256');
    for await (const part of content) {
      digest.update(part);
      this.size = digest.length;
      if (this.size > maxBytes) throw new HoldfastError('request.too_large', { limit: maxBytes });
      if (this.size > limit) throw new HoldfastError('storage.digest_mismatch', { announced: limit });
      yield part;
    }
    this.sha256 = encodeHex(digest.finish());
    const { size = this.size, sha256 = this.sha256 } = expected ?? {};
    if (size !== this.size || sha256 !== this.sha256) {
      throw new HoldfastError('storage.digest_mismatch', { announced: size, received: this.size });
    }
  }
}

/** The one place an artifact's sealing opens in. */
export function contextOf(tenant: Tenant, artifactId: string): SealContext {
  return { tenant, kind: 'artifact', id: artifactId, version: 1 };
}

/** Head and body as the one stream they were sealed as. */
export function sourceOf({ head }: ArtifactRecord, blob: OpenBlob): SealedSource {
  return {
    size: head.length + blob.size,
    async read(start, end) {
      const inHead = head.subarray(start, Math.min(end, head.length));
      if (end <= head.length) return inHead;
      const body = await blob.read({ start: Math.max(start - head.length, 0), end: end - head.length });
      return inHead.length === 0 ? body : concatBytes(inHead, body);
    },
  };
}

export async function* wholeOf(source: SealedSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.size; at += PIECE) yield source.read(at, Math.min(at + PIECE, source.size));
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return parts.length === 1 && parts[0] ? parts[0] : concatBytes(...parts);
}
