import { hkdf, type KeyEncryptionKey, type KeyLookup, localKey, openRecord, sealRecord } from '@holdfast/crypto';
import { type Clock, encodeUtf8, HoldfastError, type Random } from '@holdfast/kernel';
import type {
  AuditActor,
  AuditLog,
  KeyState,
  Store,
  Tenant,
  TenantKeyRecord,
  TenantKeyRepository,
  Write,
} from '../ports/index.ts';
import { KEY_MACHINE, mayProcess, mayProtect } from './key-states.ts';

const KEY_LENGTH = 32;
const PREFIX = 'tenant/';

export interface KeyringPorts {
  /** 32 bytes, from outside the data folder. */
  readonly rootKey: Uint8Array;
  readonly tenantKeys: TenantKeyRepository;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly random: Random;
  /** Makes the store forget what was deleted from it, write-ahead log included. */
  readonly scrub?: (() => Promise<void>) | undefined;
}

export type KeyVersion = Pick<TenantKeyRecord, 'version' | 'state' | 'createdAt' | 'changedAt'>;

interface HeldKey {
  readonly record: TenantKeyRecord;
  readonly key: KeyEncryptionKey | undefined;
}

/** Root key → versions of each tenant's key → a data key for every object. */
export class Keyring {
  readonly #ports: KeyringPorts;
  readonly #root: KeyEncryptionKey;
  readonly #held = new Map<Tenant, readonly HeldKey[]>();
  /** Changes to one tenant's keys, one after the other. */
  readonly #queues = new Map<Tenant, Promise<unknown>>();

  constructor(ports: KeyringPorts) {
    this.#ports = ports;
    const secret = hkdf('sha256', {
      key: ports.rootKey,
      salt: new Uint8Array(0),
      info: encodeUtf8('holdfast/keyring/v1'),
      length: KEY_LENGTH,
    });
    this.#root = localKey('root', 1, secret, ports.random);
  }

  /**
   * Unwraps every key there is.
   *
   * @throws `storage.wrong_root_key` when the root key did not seal them.
   */
  async start(): Promise<void> {
    const records = await this.#ports.tenantKeys.list();
    for (const tenant of new Set(records.map((record) => record.tenant))) await this.#load(tenant, records);
  }

  /** The version that wraps what is sealed from now on; a tenant's first is made when it is asked for. */
  async active(tenant: Tenant): Promise<KeyEncryptionKey> {
    const found = this.#activeOf(tenant);
    if (found) return found;
    return this.#inTurn(tenant, async () => {
      const { audit } = this.#ports;
      const again = this.#activeOf(tenant);
      if (again) return again;
      if ((this.#held.get(tenant) ?? []).length > 0) throw new HoldfastError('storage.key_destroyed', { tenant });
      const made = await this.#make(tenant, 1);
      const fact = { tenant, actor: 'system', action: 'tenant-key.created', subject: tenant, details: { version: 1 } };
      await this.#commit(tenant, [...made.writes, audit.entry(fact)]);
      return made.key;
    });
  }

  /** Finds the version that wrapped a sealing; destroyed and suspended ones are not given. */
  readonly lookup: KeyLookup = async (keyId, version) => {
    const tenant = keyId.startsWith(PREFIX) ? keyId.slice(PREFIX.length) : undefined;
    if (tenant === undefined) return undefined;
    const held = this.#held.get(tenant)?.find(({ record }) => record.version === version);
    if (held?.record.state === 'destroyed') throw new HoldfastError('storage.key_destroyed', { tenant, version });
    return held && mayProcess(held.record.state) ? held.key : undefined;
  };

  /** Whether what a version wrapped may be opened now. */
  mayOpen(tenant: Tenant, version: number): boolean {
    const held = this.#held.get(tenant)?.find(({ record }) => record.version === version);
    return held !== undefined && mayProcess(held.record.state);
  }

  /** Every version of a tenant's key. */
  list(tenant: Tenant): readonly KeyVersion[] {
    const held = this.#held.get(tenant) ?? [];
    return held.map(({ record: { version, state, createdAt, changedAt } }) => ({
      version,
      state,
      createdAt,
      changedAt,
    }));
  }

  /** A new version for what is sealed from now on; the former still opens. Gives its number. */
  async rotate(tenant: Tenant, actor: AuditActor): Promise<number> {
    const { version: former } = await this.active(tenant);
    return this.#inTurn(tenant, async () => {
      const { audit } = this.#ports;
      const held = this.#held.get(tenant) ?? [];
      const version = Math.max(...held.map(({ record }) => record.version)) + 1;
      const made = await this.#make(tenant, version);
      const fact = { tenant, actor, action: 'tenant-key.rotated', subject: tenant, details: { former, version } };
      const retired = held
        .filter(({ record }) => record.state === 'active')
        .map((key) => this.#step(key, 'deactivate'));
      await this.#commit(tenant, [...retired, ...made.writes, audit.entry(fact)]);
      return version;
    });
  }

  /**
   * Destroys every version: nothing this tenant has sealed can be opened again.
   *
   * A backup of the record store from before still holds the wrapped keys; it must expire with the data it backs up.
   */
  async shred(tenant: Tenant, actor: AuditActor): Promise<void> {
    await this.#inTurn(tenant, async () => {
      const { audit } = this.#ports;
      const standing = (this.#held.get(tenant) ?? []).filter(({ record }) => record.state !== 'destroyed');
      const details = { versions: standing.length };
      await this.#commit(tenant, [
        ...standing.map((key) => this.#step(key, 'destroy')),
        audit.entry({ tenant, actor, action: 'tenant-key.destroyed', subject: tenant, details }),
      ]);
      await this.#ports.scrub?.();
    });
  }

  /** Whether anything of this tenant can still be opened; true also before its first key. */
  isUsable(tenant: Tenant): boolean {
    const held = this.#held.get(tenant) ?? [];
    return held.length === 0 || held.some(({ record }) => mayProcess(record.state));
  }

  #activeOf(tenant: Tenant): KeyEncryptionKey | undefined {
    return this.#held.get(tenant)?.find(({ record }) => mayProtect(record.state))?.key;
  }

  #step({ record }: HeldKey, event: 'deactivate' | 'destroy'): Write {
    const { tenantKeys, clock } = this.#ports;
    return tenantKeys.changing(record, KEY_MACHINE.step(record.state, event), clock.now());
  }

  async #make(tenant: Tenant, version: number): Promise<{ key: KeyEncryptionKey; writes: readonly Write[] }> {
    const { tenantKeys, clock, random } = this.#ports;
    const secret = random.bytes(KEY_LENGTH);
    const wrapped = await sealRecord(this.#root, contextOf(tenant, version), secret, random);
    const at = clock.now();
    const state: KeyState = 'active';
    const record = { tenant, version, state, wrapped, createdAt: at, changedAt: at };
    return { key: localKey(keyIdOf(tenant), version, secret, random), writes: [tenantKeys.inserting(record)] };
  }

  async #commit(tenant: Tenant, writes: readonly Write[]): Promise<void> {
    const { store, tenantKeys } = this.#ports;
    await store.commit(writes);
    await this.#load(tenant, await tenantKeys.list(tenant));
  }

  async #load(tenant: Tenant, records: readonly TenantKeyRecord[]): Promise<void> {
    const held: HeldKey[] = [];
    for (const record of records) if (record.tenant === tenant) held.push(await this.#unwrap(record));
    this.#held.set(tenant, held);
  }

  async #unwrap(record: TenantKeyRecord): Promise<HeldKey> {
    const { tenant, version, wrapped } = record;
    if (wrapped === undefined) return { record, key: undefined };
    try {
      const lookup: KeyLookup = (keyId, v) => (keyId === this.#root.keyId && v === 1 ? this.#root : undefined);
      const secret = await openRecord(lookup, contextOf(tenant, version), wrapped);
      return { record, key: localKey(keyIdOf(tenant), version, secret, this.#ports.random) };
    } catch (cause) {
      throw new HoldfastError('storage.wrong_root_key', { tenant, version }, { cause });
    }
  }

  async #inTurn<Result>(tenant: Tenant, action: () => Promise<Result>): Promise<Result> {
    const before = this.#queues.get(tenant) ?? Promise.resolve();
    const run = before.then(action, action);
    this.#queues.set(tenant, run);
    return run;
  }
}

function keyIdOf(tenant: Tenant): string {
  return `${PREFIX}${tenant}`;
}

function contextOf(tenant: Tenant, version: number) {
  return { tenant, kind: 'tenant-key', id: keyIdOf(tenant), version };
}
