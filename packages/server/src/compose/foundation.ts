import { existsSync } from 'node:fs';
import path from 'node:path';
import { hkdf } from '@holdfast/crypto';
import { type Clock, encodeUtf8, HoldfastError, type Log, type Random, toHoldfastError } from '@holdfast/kernel';
import { AuditTrail, Checkpoints } from '@holdfast/trust/audit';
import type { AuditRepository, BlobEngine, SealedRepository, Tenant } from '@holdfast/trust/ports';
import { Artifacts, IntegrityPatrol, Keyring, SealedFields, SealedKeys } from '@holdfast/trust/storage';
import type { Config } from '../config/index.ts';
import { FileBlobs } from '../engines/blobs/file-blobs.ts';
import { FileCheckpoints } from '../engines/checkpoints/file-checkpoints.ts';
import type { KeyEngines } from '../engines/keys/key-engines.ts';
import { openKeyEngines, type ReplacedEngines } from '../engines/keys/open-key-engines.ts';
import { loadRootKey } from '../engines/keys/root-key.ts';
import { type DataFolderLock, lockDataFolder } from '../engines/lock/data-folder.ts';
import { type OpenStore, openStore } from '../persistence/index.ts';
import { SqlAuditLog } from '../persistence/repositories/audit.ts';
import { SqlArtifacts } from '../persistence/repositories/storage-artifacts.ts';
import { SqlKeyPairs, SqlTenantKeys } from '../persistence/repositories/storage-keys.ts';
import { SqlSealedRecords } from '../persistence/repositories/storage-records.ts';
import { Alarms } from './alarms.ts';
import type { Closers } from './closers.ts';
import { Leadership } from './leadership.ts';

export interface FoundationPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly closers: Closers;
  readonly tenant: Tenant;
  /** Instead of tokens and key services. */
  readonly keyEngines?: ReplacedEngines | undefined;
}

/** What every room stands on: the locked folder, the store, keys, blobs and the log. */
export interface Foundation extends FoundationPorts {
  readonly config: Config;
  readonly lock: DataFolderLock;
  readonly database: OpenStore;
  readonly keyring: Keyring;
  readonly fields: SealedFields;
  readonly keys: SealedKeys;
  readonly engines: KeyEngines;
  readonly sealedRecords: SealedRepository;
  readonly blobs: BlobEngine;
  readonly artifacts: Artifacts;
  readonly auditRecords: AuditRepository;
  readonly auditTrail: AuditTrail;
  readonly checkpoints: Checkpoints;
  readonly alarms: Alarms;
  readonly leadership: Leadership;
  /** Derives TLS ticket keys; the same on every node that has the root key. */
  readonly ticketSecret: Uint8Array;
}

const DATABASE = 'holdfast.db';
const BLOBS = 'blobs';
const CHECKPOINTS = 'checkpoints';
const AUDIT_KEY = 'audit-log';
const AUDIT_ORIGIN = 'holdfast/audit';
const ARTIFACT_SWEEP_MS = 600_000;
/** Longer than an upload to another server takes. */
const SHARED_GRACE_MS = 3_600_000;
const PATROL = { periodMs: 3_600_000, bytesPerSecond: 32 * 1024 * 1024 };

/** Opens everything a room stands on, in the order it can be closed in reverse. */
export async function openFoundation(config: Config, ports: FoundationPorts): Promise<Foundation> {
  const { clock, random, log, closers, tenant } = ports;
  const lock = lockDataFolder(config.data);
  closers.add('folder lock', () => lock.release());
  const location = path.join(lock.folder, DATABASE);
  const shared = config.store === undefined ? undefined : await openShared(config, ports);
  const rootKey = loadRootKey({
    reference: config.rootKey,
    dataFolder: lock.folder,
    fresh: shared === undefined ? !existsSync(location) : await holdsNoKeys(shared),
    random,
    environment: process.env,
  });
  const database = shared ?? closing(closers, await openStore({ location, clock, log }));
  const { store, reader, audit, outbox } = database;

  const keyring = new Keyring({
    rootKey: rootKey.bytes,
    tenantKeys: new SqlTenantKeys(reader),
    store,
    audit,
    clock,
    random,
    scrub: () => store.checkpoint(),
  });
  await keyring.start();
  const fields = new SealedFields(keyring, random);
  const sealedRecords = new SqlSealedRecords(reader);
  const engines = openKeyEngines({
    clock,
    pkcs11Module: config.pkcs11Module,
    pkcs11Pin: config.pkcs11Pin,
    environment: process.env,
    instead: ports.keyEngines?.engines,
    limits: ports.keyEngines?.limits,
  });
  closers.add('key engines', () => engines.close());
  const keys = new SealedKeys({
    engine: engines,
    keyring,
    fields,
    keyPairs: new SqlKeyPairs(reader),
    sealedRecords,
    store,
    audit,
    clock,
  });
  const blobs = await openBlobs(config, lock, ports);
  const artifactRecords = new SqlArtifacts(reader);
  const artifacts = new Artifacts({
    keyring,
    artifacts: artifactRecords,
    blobs,
    store,
    audit,
    outbox,
    clock,
    random,
    log,
  });
  const graceMs = config.blobs === undefined ? 0 : SHARED_GRACE_MS;
  await artifacts.sweep(graceMs);
  const leadership = new Leadership();
  const sweeping = clock.every(ARTIFACT_SWEEP_MS, () => {
    if (leadership.leads()) void sweep(artifacts, graceMs, log);
  });
  closers.add('artifact sweep', () => sweeping.cancel());
  const auditRecords = new SqlAuditLog(reader);
  const alarms = new Alarms(log);
  const { auditTrail, checkpoints } = await openAudit({ ...ports, lock, database, keys, auditRecords, alarms });

  const patrol = new IntegrityPatrol(
    { artifacts, artifactRecords, fields, sealedRecords, store, audit, clock, log },
    PATROL,
  );
  patrol.start();
  closers.add('integrity patrol', () => patrol.close());
  const ticketSecret = hkdf('sha256', {
    key: rootKey.bytes,
    salt: new Uint8Array(0),
    info: encodeUtf8(`holdfast/tls-tickets/${tenant}`),
    length: 32,
  });
  return {
    ...ports,
    config,
    lock,
    database,
    keyring,
    fields,
    keys,
    engines,
    sealedRecords,
    blobs,
    artifacts,
    auditRecords,
    auditTrail,
    checkpoints,
    alarms,
    leadership,
    ticketSecret,
  };
}

/** The store that several servers may share, as the settings name it. */
async function openShared(config: Config, { clock, log, closers }: FoundationPorts): Promise<OpenStore> {
  const { openPostgres, resolvePostgres } = await import('../persistence/postgres/index.ts');
  const address = resolvePostgres({
    store: config.store ?? '',
    password: config.storePassword,
    ca: config.storeCa,
    plaintext: config.storePlaintext,
    environment: process.env,
  });
  return closing(closers, await openPostgres({ address, clock, log }));
}

/** Sealed firmware lies in a bucket that several servers may share, or in the data folder. */
async function openBlobs(
  { blobs }: Config,
  { folder }: DataFolderLock,
  { clock, random, closers }: FoundationPorts,
): Promise<BlobEngine> {
  if (blobs === undefined) return FileBlobs.open(path.join(folder, BLOBS), random);
  const [{ S3Blobs }, { parseS3Address }] = await Promise.all([
    import('../engines/blobs/s3-blobs.ts'),
    import('../engines/blobs/s3-address.ts'),
  ]);
  const bucket = await S3Blobs.open({ address: parseS3Address(blobs), clock });
  closers.add('bucket', () => bucket.close());
  return bucket;
}

function closing(closers: Closers, database: OpenStore): OpenStore {
  closers.add('store', () => database.close());
  return database;
}

/** Nothing was ever sealed in it: only then may a root key be made. */
async function holdsNoKeys({ reader }: OpenStore): Promise<boolean> {
  return (await new SqlTenantKeys(reader).list()).length === 0;
}

async function sweep(artifacts: Artifacts, graceMs: number, log: Log): Promise<void> {
  try {
    await artifacts.sweep(graceMs);
  } catch (error) {
    log.warn('left uploads could not be swept', { code: toHoldfastError(error).code });
  }
}

interface AuditParts extends FoundationPorts {
  readonly lock: DataFolderLock;
  readonly database: OpenStore;
  readonly keys: SealedKeys;
  readonly auditRecords: AuditRepository;
  readonly alarms: Alarms;
}

/** The log's signing key, its checkpoint file beside the store, and what it found since the last start. */
async function openAudit(parts: AuditParts): Promise<Pick<Foundation, 'auditTrail' | 'checkpoints'>> {
  const { clock, log, closers, tenant, lock, database, keys, auditRecords, alarms } = parts;
  if ((await keys.find(tenant, AUDIT_KEY)) === undefined) {
    await keys.create({ tenant, keyId: AUDIT_KEY, actor: 'system', kind: 'ed25519' });
  }
  const signer = await keys.signer(tenant, AUDIT_KEY);
  if (signer === undefined) throw new HoldfastError('storage.unknown_key', { keyId: AUDIT_KEY });
  const file = await FileCheckpoints.open(path.join(lock.folder, CHECKPOINTS));
  const checkpoints = new Checkpoints({ repository: auditRecords, file, signer, origin: AUDIT_ORIGIN, clock, log });
  const start = await checkpoints.start();
  if (start.kind !== 'consistent') {
    alarms.raise('audit.altered', 'the audit log was altered while the server was down: run holdfast audit verify');
  }
  database.store.onCommit(({ auditSize }) => checkpoints.committed(auditSize));
  closers.add('audit checkpoints', () => checkpoints.close());
  return { checkpoints, auditTrail: new AuditTrail({ repository: auditRecords, file }) };
}
