import {
  createSigner,
  generatePrivateKey,
  importPrivateKey,
  type KeyKind,
  type PrivateKey,
  type SignatureAlgorithm,
  type Signer,
} from '@holdfast/crypto';
import { type Clock, equalBytes, HoldfastError } from '@holdfast/kernel';
import type {
  AuditActor,
  AuditLog,
  KeyPairRecord,
  KeyPairRepository,
  KeyUsage,
  SealedRepository,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { KEY_MACHINE, type KeyEvent, mayProtect } from './key-states.ts';
import type { Keyring } from './keyring.ts';
import type { SealedFields } from './sealed-fields.ts';

const KIND = 'private-key';

export interface SealedKeysPorts {
  readonly keyring: Keyring;
  readonly fields: SealedFields;
  readonly keyPairs: KeyPairRepository;
  readonly sealedRecords: SealedRepository;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

export interface NewKey {
  readonly tenant: Tenant;
  readonly keyId: string;
  readonly actor: AuditActor;
  /** P-256 when absent. */
  readonly kind?: KeyKind | undefined;
  /** `sign` when absent. */
  readonly usage?: KeyUsage | undefined;
  /** A key to take in instead of making one. */
  readonly imported?: PrivateKey | undefined;
}

/** A key that exists once its writes are committed, with whatever else must become true at once. */
export interface CreatedKey {
  readonly record: KeyPairRecord;
  readonly signer: Signer;
  readonly writes: readonly Write[];
}

/** Named key pairs whose private halves lie sealed in the store and never leave but through a signature. */
export class SealedKeys {
  readonly #ports: SealedKeysPorts;
  /** Opened private keys; a change of state drops its key. */
  readonly #open = new Map<string, Promise<PrivateKey>>();

  constructor(ports: SealedKeysPorts) {
    this.#ports = ports;
  }

  /** Makes the first version of a key, to be committed by the caller. */
  creating(wish: NewKey): Promise<CreatedKey> {
    return this.#make(wish, 1);
  }

  /** @throws `store.conflict` when the name is taken. */
  async create(wish: NewKey): Promise<KeyPairRecord> {
    const { record, writes } = await this.#make(wish, 1);
    await this.#ports.store.commit(writes);
    return record;
  }

  /** A new version that signs from now on; the former no longer does. @throws `storage.unknown_key` */
  async rotate(tenant: Tenant, keyId: string, actor: AuditActor): Promise<KeyPairRecord> {
    const { keyPairs, store, clock } = this.#ports;
    const former = await this.#find(tenant, keyId);
    const { usage, version } = former;
    const kind = await this.#kindOf(former);
    const { record, writes } = await this.#make({ tenant, keyId, actor, kind, usage }, version + 1);
    const retired = keyPairs.changing(former, KEY_MACHINE.step(former.state, 'deactivate'), clock.now());
    await store.commit([retired, ...writes]);
    this.#open.delete(cacheKey(former));
    return record;
  }

  /** Moves one version through its states; destroying erases the private half. */
  async change(key: KeyPairRecord, event: KeyEvent, actor: AuditActor): Promise<void> {
    const { keyPairs, sealedRecords, store, audit, clock } = this.#ports;
    const state = KEY_MACHINE.step(key.state, event);
    const { tenant, keyId, version } = key;
    const details = { version, from: key.state, to: state };
    await store.commit([
      keyPairs.changing(key, state, clock.now()),
      ...(state === 'destroyed' ? [sealedRecords.deleting(placeOf(key))] : []),
      audit.entry({ tenant, actor, action: 'key.changed', subject: keyId, details }),
    ]);
    this.#open.delete(cacheKey(key));
  }

  list(tenant: Tenant): Promise<readonly KeyPairRecord[]> {
    return this.#ports.keyPairs.list(tenant);
  }

  /** Undefined when there is no key of this name. */
  find(tenant: Tenant, keyId: string, version?: number): Promise<KeyPairRecord | undefined> {
    return this.#ports.keyPairs.find(tenant, keyId, version);
  }

  /**
   * Signs with the newest version. Each signature asks the key's state again.
   *
   * @param algorithm - what the key's kind is used for; its default unless given
   * @returns undefined when there is no key of this name, or its private half was destroyed here.
   */
  async signer(tenant: Tenant, keyId: string, algorithm?: SignatureAlgorithm): Promise<Signer | undefined> {
    const record = await this.#ports.keyPairs.find(tenant, keyId);
    if (!record || record.state === 'destroyed') return undefined;
    const { publicKeySpki, ...chosen } = createSigner(await this.#privateKey(record), algorithm);
    return {
      algorithm: chosen.algorithm,
      publicKeySpki,
      sign: async (bytes) => createSigner(await this.#usable(record), algorithm).sign(bytes),
    };
  }

  /** The private key of a TLS listener. @throws `storage.unknown_key`; `storage.key_not_active`, also for a signing key. */
  async openForTls(tenant: Tenant, keyId: string): Promise<PrivateKey> {
    const record = await this.#find(tenant, keyId);
    if (record.usage !== 'tls') throw new HoldfastError('storage.key_not_active', { keyId, usage: record.usage });
    return this.#usable(record);
  }

  async #make(wish: NewKey, version: number): Promise<CreatedKey> {
    const { keyPairs, sealedRecords, fields, audit, clock } = this.#ports;
    const { tenant, keyId, actor, usage = 'sign' } = wish;
    const key = wish.imported ?? (await generatePrivateKey(wish.kind ?? 'P-256'));
    const place = { tenant, kind: KIND, id: keyId, version };
    const at = clock.now();
    const { spki } = key.publicKey;
    const record: KeyPairRecord = {
      tenant,
      keyId,
      version,
      usage,
      spki,
      state: 'active',
      createdAt: at,
      changedAt: at,
    };
    const sealing = await fields.seal(place, key.exportPkcs8());
    const action = wish.imported ? 'key.imported' : version === 1 ? 'key.created' : 'key.rotated';
    return {
      record,
      signer: createSigner(key),
      writes: [
        keyPairs.inserting(record),
        sealedRecords.inserting({ ...place, ...sealing, createdAt: at }),
        audit.entry({ tenant, actor, action, subject: keyId, details: { version, usage } }),
      ],
    };
  }

  /** Reads the state anew: a key suspended or destroyed a moment ago signs no more. */
  async #usable({ tenant, keyId, version }: KeyPairRecord): Promise<PrivateKey> {
    const now = await this.#find(tenant, keyId, version);
    if (!mayProtect(now.state)) throw new HoldfastError('storage.key_not_active', { keyId, version, state: now.state });
    return this.#privateKey(now);
  }

  #privateKey(record: KeyPairRecord): Promise<PrivateKey> {
    const { tenant } = record;
    if (!this.#ports.keyring.isUsable(tenant)) throw new HoldfastError('storage.key_destroyed', { tenant });
    const name = cacheKey(record);
    const known = this.#open.get(name);
    if (known) return known;
    const opening = this.#unseal(record);
    this.#open.set(name, opening);
    opening.catch(() => this.#open.delete(name));
    return opening;
  }

  async #unseal(record: KeyPairRecord): Promise<PrivateKey> {
    const { sealedRecords, fields } = this.#ports;
    const { keyId, version, spki } = record;
    const stored = await sealedRecords.find(placeOf(record));
    if (!stored) throw new HoldfastError('storage.unknown_key', { keyId, version });
    const key = importPrivateKey(await fields.open(placeOf(record), stored.sealed));
    // The row of the public half is not sealed: one that was replaced would name another key as the signer.
    if (!equalBytes(key.publicKey.spki, spki)) throw new HoldfastError('storage.corrupt', { keyId, version });
    return key;
  }

  async #kindOf(record: KeyPairRecord): Promise<KeyKind> {
    const { kind } = (await this.#privateKey(record)).publicKey;
    if (kind.kind === 'ed25519') return 'ed25519';
    if (kind.kind === 'ec' && kind.curve !== 'P-521') return kind.curve;
    if (kind.kind === 'rsa' && kind.modulusBits > 3072) return 'rsa-4096';
    return kind.kind === 'rsa' ? 'rsa-3072' : 'P-256';
  }

  async #find(tenant: Tenant, keyId: string, version?: number): Promise<KeyPairRecord> {
    const record = await this.#ports.keyPairs.find(tenant, keyId, version);
    if (!record) throw new HoldfastError('storage.unknown_key', { keyId });
    return record;
  }
}

function placeOf({ tenant, keyId, version }: KeyPairRecord) {
  return { tenant, kind: KIND, id: keyId, version };
}

function cacheKey({ tenant, keyId, version }: KeyPairRecord): string {
  return JSON.stringify([tenant, keyId, version]);
}
