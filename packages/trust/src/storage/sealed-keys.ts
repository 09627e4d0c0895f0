import {
  createSigner,
  generatePrivateKey,
  importPrivateKey,
  type KeyKind,
  type PrivateKey,
  sha256,
  type SignatureAlgorithm,
  type Signer,
} from '@holdfast/crypto';
import { type Clock, decodeUtf8, encodeHex, encodeUtf8, equalBytes, HoldfastError } from '@holdfast/kernel';
import type {
  AuditActor,
  AuditLog,
  KeyEngine,
  KeyPairRecord,
  KeyPairRepository,
  KeyUsage,
  SealedPlace,
  SealedRepository,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { createEngineSigner } from './engine-signer.ts';
import { KEY_MACHINE, type KeyEvent, mayProtect } from './key-states.ts';
import type { Keyring } from './keyring.ts';
import type { SealedFields } from './sealed-fields.ts';

/** What is sealed of a key: its private half, or the reference by which a key engine finds it. */
const KINDS = { here: 'private-key', elsewhere: 'key-reference' } as const;

export interface SealedKeysPorts {
  readonly keyring: Keyring;
  readonly fields: SealedFields;
  readonly keyPairs: KeyPairRepository;
  readonly sealedRecords: SealedRepository;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** For keys whose private halves are elsewhere. */
  readonly engine?: KeyEngine | undefined;
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
  /** Where the key is, when it is to stay in a token or service; `kind` is then what it is found to be. */
  readonly reference?: string | undefined;
}

type OpenKey =
  | { readonly kind: 'here'; readonly key: PrivateKey }
  | { readonly kind: 'elsewhere'; readonly reference: string };

/** A key that exists once its writes are committed, with whatever else must become true at once. */
export interface CreatedKey {
  readonly record: KeyPairRecord;
  readonly signer: Signer;
  readonly writes: readonly Write[];
}

/**
 * Named key pairs whose private halves lie sealed in the store, or in a token or service, and never leave but through a
 * signature.
 */
export class SealedKeys {
  readonly #ports: SealedKeysPorts;
  /** Opened keys; a change of state drops its key. */
  readonly #open = new Map<string, Promise<OpenKey>>();

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

  /**
   * A new version that signs from now on; the former no longer does.
   *
   * @throws `storage.unknown_key`; `storage.key_elsewhere` when the key is not here
   */
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

  /** Moves one version through its states; destroying erases the private half, or the way to it. */
  async change(key: KeyPairRecord, event: KeyEvent, actor: AuditActor): Promise<void> {
    const { keyPairs, sealedRecords, store, audit, clock } = this.#ports;
    const state = KEY_MACHINE.step(key.state, event);
    const { tenant, keyId, version } = key;
    const details = { version, from: key.state, to: state };
    await store.commit([
      keyPairs.changing(key, state, clock.now()),
      ...(state === 'destroyed' ? [sealedRecords.deleting(await this.#sealedPlace(key))] : []),
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
    const { publicKeySpki, ...chosen } = this.#signerOf(record, await this.#opened(record), algorithm);
    return {
      algorithm: chosen.algorithm,
      publicKeySpki,
      sign: async (bytes) => this.#signerOf(record, await this.#usable(record), algorithm).sign(bytes),
    };
  }

  /** Where the newest version is when it is not here. */
  async referenceOf(tenant: Tenant, keyId: string): Promise<string | undefined> {
    const record = await this.#ports.keyPairs.find(tenant, keyId);
    if (!record || record.state === 'destroyed') return undefined;
    const opened = await this.#opened(record);
    return opened.kind === 'elsewhere' ? opened.reference : undefined;
  }

  /**
   * The private key of a TLS listener.
   *
   * @throws `storage.unknown_key`; `storage.key_not_active`, also for a signing key; `storage.key_elsewhere`
   */
  async openForTls(tenant: Tenant, keyId: string): Promise<PrivateKey> {
    const record = await this.#find(tenant, keyId);
    if (record.usage !== 'tls') throw new HoldfastError('storage.key_not_active', { keyId, usage: record.usage });
    return hereOnly(record, await this.#usable(record));
  }

  async #make(wish: NewKey, version: number): Promise<CreatedKey> {
    const { keyPairs, sealedRecords, fields, audit, clock } = this.#ports;
    const { tenant, keyId, actor, usage = 'sign', reference } = wish;
    const { open, spki } = reference === undefined ? await this.#fresh(wish) : await this.#found(tenant, reference);
    const place = { tenant, kind: KINDS[open.kind], id: keyId, version };
    const at = clock.now();
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
    const secret = open.kind === 'here' ? open.key.exportPkcs8() : encodeReference(open.reference, spki);
    const sealing = await fields.seal(place, secret);
    const isMade = wish.imported === undefined && reference === undefined;
    const action = isMade ? (version === 1 ? 'key.created' : 'key.rotated') : 'key.imported';
    const details = { version, usage, ...(reference === undefined ? {} : { reference }) };
    return {
      record,
      signer: this.#signerOf(record, open),
      writes: [
        keyPairs.inserting(record),
        sealedRecords.inserting({ ...place, ...sealing, createdAt: at }),
        audit.entry({ tenant, actor, action, subject: keyId, details }),
      ],
    };
  }

  async #fresh(wish: NewKey): Promise<{ readonly open: OpenKey; readonly spki: Uint8Array }> {
    const key = wish.imported ?? (await generatePrivateKey(wish.kind ?? 'P-256'));
    return { open: { kind: 'here', key }, spki: key.publicKey.spki };
  }

  async #found(tenant: Tenant, reference: string): Promise<{ readonly open: OpenKey; readonly spki: Uint8Array }> {
    const spki = await this.#engine().describe(reference);
    // What one purpose has signed could be shown for another.
    const used = (await this.#ports.keyPairs.list(tenant)).find((known) => equalBytes(known.spki, spki));
    if (used !== undefined) throw new HoldfastError('storage.key_in_use', { keyId: used.keyId });
    return { open: { kind: 'elsewhere', reference }, spki };
  }

  #engine(): KeyEngine {
    const { engine } = this.#ports;
    if (engine === undefined) throw new HoldfastError('storage.key_engine_missing');
    return engine;
  }

  #signerOf({ spki }: KeyPairRecord, open: OpenKey, algorithm?: SignatureAlgorithm): Signer {
    if (open.kind === 'here') return createSigner(open.key, algorithm);
    return createEngineSigner(this.#engine(), { reference: open.reference, publicKeySpki: spki }, algorithm);
  }

  /** Reads the state anew: a key suspended or destroyed a moment ago signs no more. */
  async #usable({ tenant, keyId, version }: KeyPairRecord): Promise<OpenKey> {
    const now = await this.#find(tenant, keyId, version);
    if (!mayProtect(now.state)) throw new HoldfastError('storage.key_not_active', { keyId, version, state: now.state });
    return this.#opened(now);
  }

  #opened(record: KeyPairRecord): Promise<OpenKey> {
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

  async #unseal(record: KeyPairRecord): Promise<OpenKey> {
    const { sealedRecords, fields } = this.#ports;
    const { keyId, version, spki } = record;
    const place = await this.#sealedPlace(record);
    const stored = await sealedRecords.find(place);
    if (!stored) throw new HoldfastError('storage.unknown_key', { keyId, version });
    const content = await fields.open(place, stored.sealed);
    if (place.kind === KINDS.elsewhere) return { kind: 'elsewhere', ...decodeReference(content, record) };
    const key = importPrivateKey(content);
    // The row of the public half is not sealed: one that was replaced would name another key as the signer.
    if (!equalBytes(key.publicKey.spki, spki)) throw new HoldfastError('storage.corrupt', { keyId, version });
    return { kind: 'here', key };
  }

  async #sealedPlace({ tenant, keyId, version }: KeyPairRecord): Promise<SealedPlace> {
    const place = { tenant, id: keyId, version };
    const elsewhere = { ...place, kind: KINDS.elsewhere };
    return (await this.#ports.sealedRecords.find(elsewhere)) ? elsewhere : { ...place, kind: KINDS.here };
  }

  async #kindOf(record: KeyPairRecord): Promise<KeyKind> {
    const { kind } = hereOnly(record, await this.#opened(record)).publicKey;
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

function hereOnly({ keyId }: KeyPairRecord, open: OpenKey): PrivateKey {
  if (open.kind === 'elsewhere') throw new HoldfastError('storage.key_elsewhere', { keyId });
  return open.key;
}

/** With the public half, for the row that has it is not sealed. */
function encodeReference(reference: string, spki: Uint8Array): Uint8Array {
  return encodeUtf8(JSON.stringify([reference, encodeHex(sha256(spki))]));
}

function decodeReference(content: Uint8Array, { keyId, version, spki }: KeyPairRecord): { readonly reference: string } {
  const [reference, digest] = JSON.parse(decodeUtf8(content)) as readonly [string, string];
  if (digest !== encodeHex(sha256(spki))) throw new HoldfastError('storage.corrupt', { keyId, version });
  return { reference };
}

function cacheKey({ tenant, keyId, version }: KeyPairRecord): string {
  return JSON.stringify([tenant, keyId, version]);
}
