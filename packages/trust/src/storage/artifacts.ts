import { createDigest, openStream, SealedReader, sealStream } from '@holdfast/crypto';
import {
  type Clock,
  concatBytes,
  encodeHex,
  type ErrorCode,
  HoldfastError,
  type Log,
  type Random,
  toHoldfastError,
} from '@holdfast/kernel';
import type {
  ArtifactRecord,
  ArtifactRepository,
  AuditActor,
  AuditLog,
  BlobEngine,
  ByteRange,
  OpenBlob,
  Outbox,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { collect, contextOf, MeasuredContent, type NewArtifact, PIECE, sourceOf, wholeOf } from './artifact-content.ts';
import type { Keyring } from './keyring.ts';
import { RecentPieces } from './recent-pieces.ts';

const KEPT_PIECES = 32;
/** An unknown key is one whose name or version in the head was altered: those of the keyring are never removed. */
const CORRUPT: ReadonlySet<ErrorCode> = new Set(['crypto.open_failed', 'crypto.unknown_key', 'storage.corrupt']);
/** An upload may be this long between its last byte and the commit of its row. */
const STAGED_MS = 600_000;

export interface ArtifactsPorts {
  readonly keyring: Keyring;
  readonly artifacts: ArtifactRepository;
  readonly blobs: BlobEngine;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Large objects, sealed before they touch the disk, given out only while every chunk proves intact. */
export class Artifacts {
  readonly #ports: ArtifactsPorts;
  /** Blobs whose rows may still be committed, by the monotonic time they were stored; infinite while they are. */
  readonly #staged = new Map<string, number>();
  /** Blobs that no row named at the last sweep, and since when. */
  #unnamed: Map<string, number> = new Map();
  /** Opened pieces that many devices ask for at once in small blocks. */
  readonly #pieces = new RecentPieces(KEPT_PIECES);

  constructor(ports: ArtifactsPorts) {
    this.#ports = ports;
  }

  /** Stores an object. @throws as `creating`. */
  async create(wish: NewArtifact): Promise<ArtifactRecord> {
    const { record, writes } = await this.creating(wish);
    await this.#ports.store.commit(writes);
    this.#staged.delete(record.artifactId);
    return record;
  }

  /**
   * Seals and stores the content while hashing it; it exists once the writes are committed, and is swept otherwise.
   *
   * @throws `request.too_large` past `maxBytes`; `storage.digest_mismatch` when it is not what was announced;
   * `store.full`, `store.unavailable`; what `content` throws.
   */
  async creating(wish: NewArtifact): Promise<{ readonly record: ArtifactRecord; readonly writes: readonly Write[] }> {
    const { keyring, artifacts, blobs, audit, clock, random } = this.#ports;
    const { tenant, actor } = wish;
    const artifactId = encodeHex(random.bytes(16));
    const key = await keyring.active(tenant);
    const content = new MeasuredContent(wish);
    const sealed = sealStream(key, contextOf(tenant, artifactId), content.read(), random);
    const head = await sealed.next();
    if (head.done === true) throw new HoldfastError('kernel.internal', { reason: 'a sealed stream without a head' });
    this.#staged.set(artifactId, Number.POSITIVE_INFINITY);
    try {
      await blobs.put(artifactId, sealed);
    } catch (error) {
      this.#staged.delete(artifactId);
      throw error;
    }
    this.#staged.set(artifactId, clock.monotonicMs());
    const { size, sha256 } = content;
    const at = clock.now();
    const record: ArtifactRecord = {
      tenant,
      artifactId,
      size,
      sha256,
      state: 'intact',
      head: head.value,
      keyVersion: key.version,
      createdAt: at,
      checkedAt: at,
    };
    const fact = { tenant, actor, action: 'artifact.stored', subject: artifactId, details: { size, sha256 } };
    return { record, writes: [artifacts.inserting(record), audit.entry(fact)] };
  }

  /**
   * Opens an object for reading at any place.
   *
   * @returns undefined when there is none.
   * @throws `storage.corrupt` when it is not what was stored, now or in any later read; `storage.key_destroyed`.
   */
  async open(tenant: Tenant, artifactId: string): Promise<OpenBlob | undefined> {
    const record = await this.#ports.artifacts.find(tenant, artifactId);
    if (!record) return undefined;
    if (record.state === 'corrupt') throw new HoldfastError('storage.corrupt', { artifactId });
    // Of what was opened a moment ago the next range is kept too, most likely: then the file is not needed.
    let sealed = this.#isAtHand(record) ? undefined : this.#unseal(record);
    await sealed;
    return {
      size: record.size,
      read: (range) => this.#read(record, async () => (await (sealed ??= this.#unseal(record))).reader, range),
      close: async () => {
        const opened = await sealed?.catch(() => undefined);
        await opened?.blob.close();
      },
    };
  }

  #isAtHand({ tenant, artifactId, keyVersion }: ArtifactRecord): boolean {
    return this.#pieces.holds(pieceName(artifactId)) && this.#ports.keyring.mayOpen(tenant, keyVersion);
  }

  async #unseal(record: ArtifactRecord): Promise<{ readonly blob: OpenBlob; readonly reader: SealedReader }> {
    const { blobs, keyring } = this.#ports;
    const { artifactId, size, tenant } = record;
    const blob = await blobs.open(artifactId);
    try {
      if (!blob) throw new HoldfastError('storage.corrupt', { artifactId, reason: 'missing' });
      const context = contextOf(tenant, artifactId);
      const reader = await SealedReader.open(keyring.lookup, context, sourceOf(record, blob));
      if (reader.size !== size) throw new HoldfastError('storage.corrupt', { artifactId, size: reader.size });
      return { blob, reader };
    } catch (error) {
      await blob?.close();
      throw await this.#judged(record, error);
    }
  }

  /**
   * Reads all of an object and holds it against its hash.
   *
   * @param pace - called with the bytes of each step; the reading waits for it.
   */
  async check(record: ArtifactRecord, pace: (bytes: number) => Promise<void>): Promise<'intact' | 'corrupt'> {
    const { keyring, artifacts, blobs, store, clock } = this.#ports;
    const { tenant, artifactId } = record;
    const blob = await blobs.open(artifactId);
    try {
      if (!blob) throw new HoldfastError('storage.corrupt', { artifactId, reason: 'missing' });
      const digest = createDigest('sha256');
      const sealed = wholeOf(sourceOf(record, blob));
      for await (const piece of openStream(keyring.lookup, contextOf(tenant, artifactId), sealed)) {
        digest.update(piece);
        await pace(piece.length);
      }
      if (digest.length !== record.size || encodeHex(digest.finish()) !== record.sha256) {
        throw new HoldfastError('storage.corrupt', { artifactId, reason: 'digest' });
      }
      await store.commit([artifacts.checking(record, clock.now())]);
      return 'intact';
    } catch (error) {
      const judged = await this.#judged(record, error);
      if (judged.code !== 'storage.corrupt') throw judged;
      return 'corrupt';
    } finally {
      await blob?.close();
    }
  }

  /** @throws `storage.unknown_artifact` */
  async delete(tenant: Tenant, artifactId: string, actor: AuditActor): Promise<void> {
    const { artifacts, blobs, store, audit } = this.#ports;
    const record = await artifacts.find(tenant, artifactId);
    if (!record) throw new HoldfastError('storage.unknown_artifact', { artifactId });
    const details = { sha256: record.sha256 };
    await store.commit([
      artifacts.deleting(tenant, artifactId),
      audit.entry({ tenant, actor, action: 'artifact.deleted', subject: artifactId, details }),
    ]);
    await blobs.delete(artifactId);
  }

  /**
   * Deletes blobs that no row names: what a crash or a failure between upload and commit left. Gives their number.
   *
   * @param graceMs - how long none may have named it, as seen here: where several servers share the blobs, another one
   * may be in the middle of an upload.
   */
  async sweep(graceMs = 0): Promise<number> {
    const { artifacts, blobs, clock } = this.#ports;
    const now = clock.monotonicMs();
    for (const [key, stagedAt] of this.#staged) if (now - stagedAt >= STAGED_MS) this.#staged.delete(key);
    const before = this.#unnamed;
    this.#unnamed = new Map();
    let swept = 0;
    for await (const key of blobs.keys()) {
      if (this.#staged.has(key) || (await artifacts.exists(key))) continue;
      const since = before.get(key) ?? now;
      if (now - since < graceMs) {
        this.#unnamed.set(key, since);
        continue;
      }
      await blobs.delete(key);
      swept++;
    }
    return swept;
  }

  async #read(
    record: ArtifactRecord,
    open: () => Promise<SealedReader>,
    { start, end }: ByteRange,
  ): Promise<Uint8Array> {
    const { artifactId, size, tenant } = record;
    if (!(start >= 0 && start <= end && end <= size))
      throw new HoldfastError('storage.bad_range', { start, end, size });
    if (!this.#ports.keyring.isUsable(tenant)) throw new HoldfastError('storage.key_destroyed', { tenant });
    const parts: Uint8Array[] = [];
    try {
      for (let index = Math.floor(start / PIECE); index * PIECE < end; index++) {
        const from = index * PIECE;
        const piece = await this.#pieces.get(pieceName(artifactId, index), async () =>
          collect((await open()).read({ start: from, end: Math.min(from + PIECE, size) })),
        );
        parts.push(piece.subarray(Math.max(start - from, 0), Math.min(end - from, piece.length)));
      }
    } catch (error) {
      throw await this.#judged(record, error);
    }
    const [first] = parts;
    return parts.length === 1 && first ? first : concatBytes(...parts);
  }

  /** What an error says about the object; one that is not intact is quarantined, stated and audited. */
  async #judged(record: ArtifactRecord, error: unknown): Promise<HoldfastError> {
    const { artifacts, store, audit, outbox, clock, log } = this.#ports;
    if (!HoldfastError.is(error) || !CORRUPT.has(error.code)) return toHoldfastError(error);
    const { tenant, artifactId } = record;
    try {
      await store.commit([
        artifacts.condemning(record, clock.now()),
        audit.entry({ tenant, actor: 'system', action: 'artifact.corrupt', subject: artifactId, details: {} }),
        outbox.event({ tenant, name: 'artifact.corrupt', subject: artifactId, data: {} }),
      ]);
    } catch (failure) {
      // A conflict: another reader has condemned it already.
      if (!HoldfastError.is(failure, 'store.conflict')) {
        log.error('a corrupt artifact could not be quarantined', { artifactId, code: toHoldfastError(failure).code });
      }
    }
    return new HoldfastError('storage.corrupt', { artifactId }, { cause: error });
  }
}

function pieceName(artifactId: string, index: number | '' = ''): string {
  return `${artifactId} ${index}`;
}
