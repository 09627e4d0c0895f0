/** Offsets of bytes; `end` is exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** One stored blob, open for reading at any place. */
export interface OpenBlob {
  readonly size: number;
  /**
   * @throws `storage.bad_range` outside the blob; `storage.corrupt` when fewer bytes are there than it once had.
   */
  read(range: ByteRange): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Keeps bytes by key; knows nothing of what they are. Keys are 8-128 of `[a-z0-9-]`, the first not a hyphen. */
export interface BlobEngine {
  /**
   * Stores a whole blob or nothing: it appears under its key only when every byte is durable.
   *
   * @throws `store.full`, `store.unavailable`; what `content` throws goes through.
   */
  put(key: string, content: AsyncIterable<Uint8Array>): Promise<{ readonly size: number }>;
  /** Undefined when there is none. */
  open(key: string): Promise<OpenBlob | undefined>;
  stat(key: string): Promise<{ readonly size: number } | undefined>;
  /** Does nothing when there is none. */
  delete(key: string): Promise<void>;
  /** Every key, in no order. */
  keys(): AsyncIterable<string>;
}
