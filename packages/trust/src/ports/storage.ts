import type { SignatureAlgorithm } from '@holdfast/crypto';
import type { EpochMs } from '@holdfast/kernel';
import type { Sha256Hex, Tenant } from './ids.ts';
import type { Page, PageRequest, Write } from './store.ts';

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

/** NIST SP 800-57 Part 1 rev. 5, section 7. */
export type KeyState = 'pre-active' | 'active' | 'suspended' | 'deactivated' | 'compromised' | 'destroyed';

/** One version of the key that wraps the data keys of a tenant. */
export interface TenantKeyRecord {
  readonly tenant: Tenant;
  /** From 1. */
  readonly version: number;
  readonly state: KeyState;
  /** The key, sealed under the root key; undefined once destroyed. */
  readonly wrapped: Uint8Array | undefined;
  readonly createdAt: EpochMs;
  readonly changedAt: EpochMs;
}

export interface TenantKeyRepository {
  /** Of one tenant, or of all; by version. */
  list(tenant?: Tenant): Promise<readonly TenantKeyRecord[]>;
  /** Conflicts when the version exists. */
  inserting(record: TenantKeyRecord): Write;
  /** Conflicts unless the row still has `from.state`; `destroyed` erases the wrapped key. */
  changing(from: TenantKeyRecord, state: KeyState, at: EpochMs): Write;
}

/** A sealed object small enough for a row. */
export interface SealedRecord {
  readonly tenant: Tenant;
  readonly kind: string;
  readonly id: string;
  /** From 1. */
  readonly version: number;
  readonly sealed: Uint8Array;
  /** Version of the tenant's key that wraps its data key. */
  readonly keyVersion: number;
  readonly createdAt: EpochMs;
}

export type SealedPlace = Pick<SealedRecord, 'tenant' | 'kind' | 'id' | 'version'>;

export interface SealedRepository {
  find(place: SealedPlace): Promise<SealedRecord | undefined>;
  newest(tenant: Tenant, kind: string, id: string): Promise<SealedRecord | undefined>;
  /** Newest version of each id, without the sealed bytes. */
  list(tenant: Tenant, kind: string, page: PageRequest): Promise<Page<Omit<SealedRecord, 'sealed'>>>;
  /** Of every kind, in order of place: what a patrol walks through. */
  walk(after: SealedPlace | undefined, limit: number): Promise<readonly SealedRecord[]>;
  /** Wrapped under a version below `keyVersion`. */
  wrappedBelow(tenant: Tenant, keyVersion: number, limit: number): Promise<readonly SealedRecord[]>;
  /** Conflicts when the place is taken. */
  inserting(record: SealedRecord): Write;
  /** Conflicts unless it is still wrapped under `from.keyVersion`. */
  rewrapping(from: SealedRecord, sealed: Uint8Array, keyVersion: number): Write;
  /** Conflicts when it is not there. */
  deleting(place: SealedPlace): Write;
  /** Every version. */
  deletingAll(tenant: Tenant, kind: string, id: string): Write;
}

/** `sign`: usable through a signer only. `tls`: handed to the TLS listeners of this process. */
export type KeyUsage = 'sign' | 'tls';

/** One version of a named key pair; its private half is a sealed record. */
export interface KeyPairRecord {
  readonly tenant: Tenant;
  readonly keyId: string;
  /** From 1. */
  readonly version: number;
  readonly usage: KeyUsage;
  /** SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array;
  readonly state: KeyState;
  readonly createdAt: EpochMs;
  readonly changedAt: EpochMs;
}

export interface KeyPairRepository {
  /** The newest version when none is named. */
  find(tenant: Tenant, keyId: string, version?: number): Promise<KeyPairRecord | undefined>;
  /** By key id, every version. */
  list(tenant: Tenant): Promise<readonly KeyPairRecord[]>;
  /** Conflicts when the version exists. */
  inserting(record: KeyPairRecord): Write;
  /** Conflicts unless the row still has `from.state`. */
  changing(from: KeyPairRecord, state: KeyState, at: EpochMs): Write;
}

/** What a key engine is told to sign: `bytes` whole, hashing is the engine's. */
export interface KeySignOrder {
  readonly reference: string;
  readonly algorithm: SignatureAlgorithm;
  readonly bytes: Uint8Array;
}

/**
 * Keys whose private halves never come here: in a token or a service, named by reference.
 *
 * Errors: `storage.key_unavailable` while it does not answer, `storage.key_engine_refused`,
 * `storage.key_engine_missing`, `storage.bad_key_reference`, `crypto.unsupported_algorithm`.
 */
export interface KeyEngine {
  /** SubjectPublicKeyInfo DER. */
  describe(reference: string): Promise<Uint8Array>;
  /** The signature as a `Signer` gives it. */
  sign(order: KeySignOrder): Promise<Uint8Array<ArrayBuffer>>;
}

export type ArtifactState = 'intact' | 'corrupt';

/** A large object: its sealed body lies in the blob engine under `artifactId`. */
export interface ArtifactRecord {
  readonly tenant: Tenant;
  readonly artifactId: string;
  /** Of the content in clear. */
  readonly size: number;
  readonly sha256: Sha256Hex;
  readonly state: ArtifactState;
  /** What opens the body: the wrapped data key and what follows it up to the first chunk. */
  readonly head: Uint8Array;
  readonly keyVersion: number;
  readonly createdAt: EpochMs;
  /** When all of it was last read and found intact. */
  readonly checkedAt: EpochMs;
}

export interface ArtifactRepository {
  find(tenant: Tenant, artifactId: string): Promise<ArtifactRecord | undefined>;
  /** Of any tenant. */
  exists(artifactId: string): Promise<boolean>;
  /** Intact and checked before `at`, longest unchecked first; of every tenant. */
  checkedBefore(at: EpochMs, limit: number): Promise<readonly ArtifactRecord[]>;
  wrappedBelow(tenant: Tenant, keyVersion: number, limit: number): Promise<readonly ArtifactRecord[]>;
  inserting(record: ArtifactRecord): Write;
  rewrapping(from: ArtifactRecord, head: Uint8Array, keyVersion: number): Write;
  checking(artifact: ArtifactRecord, at: EpochMs): Write;
  /** Conflicts unless intact. */
  condemning(artifact: ArtifactRecord, at: EpochMs): Write;
  /** Conflicts when it is not there. */
  deleting(tenant: Tenant, artifactId: string): Write;
}
