import { ManualClock, type Random, silentLog, systemRandom } from '@holdfast/kernel';
import type { BlobEngine, StoredAuditEntry } from '@holdfast/trust/ports';
import { Artifacts, IntegrityPatrol, Keyring, SealedFields, SealedKeys, SealedSecrets } from '@holdfast/trust/storage';
import { type OpenStore, openStore } from '../open-store.ts';
import { SqlAuditLog } from '../repositories/audit.ts';
import { SqlArtifacts } from '../repositories/storage-artifacts.ts';
import { SqlKeyPairs, SqlTenantKeys } from '../repositories/storage-keys.ts';
import { SqlSealedRecords } from '../repositories/storage-records.ts';

export interface StorageBedOptions {
  readonly location?: string;
  readonly rootKey?: Uint8Array;
  readonly blobs: BlobEngine;
  readonly clock?: ManualClock;
  readonly random?: Random;
}

/** The storage room on a real store, as a test needs it. */
export async function openStorageBed(options: StorageBedOptions) {
  const { location = ':memory:', rootKey = new Uint8Array(32).fill(7), blobs, random = systemRandom } = options;
  const clock = options.clock ?? new ManualClock();
  const opened: OpenStore = await openStore({ location, clock });
  const { store, reader, audit, outbox } = opened;
  const tenantKeys = new SqlTenantKeys(reader);
  const sealedRecords = new SqlSealedRecords(reader);
  const keyPairs = new SqlKeyPairs(reader);
  const artifactRecords = new SqlArtifacts(reader);
  const auditLog = new SqlAuditLog(reader);
  const common = { store, audit, outbox, clock, random, log: silentLog };
  const keyring = new Keyring({ ...common, rootKey, tenantKeys, scrub: () => store.checkpoint() });
  await keyring.start().catch(async (error: unknown) => {
    await opened.close();
    throw error;
  });
  const fields = new SealedFields(keyring, random);
  const secrets = new SealedSecrets({ ...common, fields, sealedRecords });
  const anotherArtifacts = () => new Artifacts({ ...common, keyring, artifacts: artifactRecords, blobs });
  const artifacts = anotherArtifacts();
  const patrol = new IntegrityPatrol(
    { ...common, artifacts, artifactRecords, fields, sealedRecords },
    { periodMs: 3_600_000, bytesPerSecond: 8 * 1024 * 1024 },
  );
  const entries = (): Promise<readonly StoredAuditEntry[]> => auditLog.from(0, 1000);
  const keyPorts = { ...common, keyring, fields, keyPairs, sealedRecords };
  return {
    ...common,
    opened,
    reader,
    tenantKeys,
    keyring,
    fields,
    keys: new SealedKeys(keyPorts),
    keyPorts,
    secrets,
    secretPorts: { ...common, fields, sealedRecords },
    artifacts,
    /** The same room with an empty memory. */
    anotherArtifacts,
    rewrapPorts: { ...common, keyring, fields, sealedRecords, artifacts: artifactRecords },
    patrol,
    entries,
    sealedRecords,
    artifactRecords,
  };
}

export type StorageBed = Awaited<ReturnType<typeof openStorageBed>>;

/** Blobs in a map that a test can damage. */
export class MapBlobs implements BlobEngine {
  readonly contents = new Map<string, Uint8Array>();

  async put(key: string, content: AsyncIterable<Uint8Array>): Promise<{ readonly size: number }> {
    const parts: Uint8Array[] = [];
    for await (const part of content) parts.push(new Uint8Array(part));
    const whole = new Uint8Array(Buffer.concat(parts));
    this.contents.set(key, whole);
    return { size: whole.length };
  }

  async open(key: string) {
    const whole = this.contents.get(key);
    if (!whole) return undefined;
    return {
      size: whole.length,
      read: async ({ start, end }: { start: number; end: number }) => whole.slice(start, end),
      close: async () => undefined,
    };
  }

  async stat(key: string) {
    const whole = this.contents.get(key);
    return whole && { size: whole.length };
  }

  async delete(key: string): Promise<void> {
    this.contents.delete(key);
  }

  async *keys(): AsyncIterable<string> {
    for (const key of new Set(this.contents.keys())) yield key;
  }
}
