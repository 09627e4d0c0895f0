import { mcubootPublicKey, publishedTestKey, sha256 } from '@holdfast/crypto';
import { type Clock, encodeHex, type EpochMs, equalBytes, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  DeviceRepository,
  ImageKeyRecord,
  ImageKeyRepository,
  ImageKeyState,
  Outbox,
  ProductRecord,
  ProductRepository,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf } from '../principal.ts';
import type { ProductActor } from './product-policy.ts';

export interface KeySetsPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly products: ProductRepository;
  readonly devices: DeviceRepository;
  readonly imageKeys: ImageKeyRepository;
  /** Public half of a key in the key store. @throws `storage.unknown_key` */
  readonly spkiOf: (tenant: Tenant, keyId: string) => Promise<Uint8Array>;
}

/** A key to add: one that was made here, or the public half of one that never comes here. */
export type NewImageKey =
  | { readonly custody: 'sealed'; readonly keyId: string; readonly spki: Uint8Array }
  | { readonly custody: 'offline'; readonly spki: Uint8Array };

export interface Rotation {
  /** The one key that is next unless given. */
  readonly keyId?: string | undefined;
  readonly reason: string;
  /** Rotates though devices hold none of the keys that sign from now on; they take no update any more. */
  readonly strand?: boolean | undefined;
}

/** Places in the boot code of a device; an ESP32 has fuses for three. */
const PLACES = 4;
const PAGE = 1000;

/** The keys a product's images may be signed with, and who on the outside holds which. */
export class KeySets {
  readonly #ports: KeySetsPorts;

  constructor(ports: KeySetsPorts) {
    this.#ports = ports;
  }

  /** In order of place. A product whose set was never changed has its one image key. */
  async list(product: ProductRecord): Promise<readonly ImageKeyRecord[]> {
    const { imageKeys, spkiOf } = this.#ports;
    const { tenant, name, imageKeyId, createdAt } = product;
    const kept = await imageKeys.list(tenant, name);
    if (kept.length > 0 || imageKeyId === undefined) return kept;
    const first = { keyId: imageKeyId, slot: 0, state: 'active', custody: 'sealed', revision: 0 } as const;
    const spki = await spkiOf(tenant, imageKeyId);
    return [{ tenant, product: name, ...first, spki, addedAt: createdAt, addedBy: 'system', changedAt: createdAt }];
  }

  /** SubjectPublicKeyInfo of the keys whose images are accepted here. */
  async trusted(product: ProductRecord): Promise<readonly Uint8Array[]> {
    const keys = await this.list(product);
    return keys.filter(({ state }) => state !== 'revoked').map(({ spki }) => spki);
  }

  /** SubjectPublicKeyInfo of the keys in the boot code of a device made then; boot code never forgets one. */
  async heldSince(product: ProductRecord, madeAt: EpochMs): Promise<readonly Uint8Array[]> {
    const keys = await this.list(product);
    return keys.filter(({ addedAt }) => addedAt <= madeAt).map(({ spki }) => spki);
  }

  /**
   * Adds a key that boot code of new devices holds from now on, and that signs once the set is rotated to it.
   *
   * @throws `boot.key_set_full`, `boot.key_exists`, `boot.test_key`, `boot.unsupported_key`
   */
  async add(principal: ProductActor, productName: string, key: NewImageKey): Promise<ImageKeyRecord> {
    const { clock, imageKeys } = this.#ports;
    const product = await this.#product(principal.tenant, productName);
    const keys = await this.list(product);
    const name = publishedTestKey(key.spki);
    if (name !== undefined) throw new HoldfastError('boot.test_key', { name });
    mcubootPublicKey(key.spki);
    if (keys.some(({ spki }) => equalBytes(spki, key.spki))) throw new HoldfastError('boot.key_exists');
    if (keys.length >= PLACES) throw new HoldfastError('boot.key_set_full', { places: PLACES });
    const record: ImageKeyRecord = {
      tenant: product.tenant,
      product: product.name,
      keyId: key.custody === 'sealed' ? key.keyId : `offline-${encodeHex(sha256(key.spki)).slice(0, 16)}`,
      slot: keys.length,
      state: 'next',
      custody: key.custody,
      spki: key.spki,
      addedAt: clock.now(),
      addedBy: actorOf(principal),
      changedAt: clock.now(),
      revision: 0,
    };
    const details = { key: record.keyId, custody: record.custody, slot: record.slot };
    const writes = [...(await this.#keepFirst(product, keys)), imageKeys.inserting(record)];
    await this.#commit(principal, product, { writes, action: 'product.key_added', details });
    return record;
  }

  /**
   * Signs with another key from now on; the one before is still accepted.
   *
   * @throws `boot.unknown_image_key`, `boot.key_state` when the key is not next; `boot.rotation_strands` when devices
   * in the field hold no key that would be signed with
   */
  async rotate(principal: ProductActor, productName: string, wish: Rotation): Promise<ImageKeyRecord> {
    const { clock, imageKeys, products } = this.#ports;
    const product = await this.#product(principal.tenant, productName);
    const keys = await this.list(product);
    const next = chosen(keys, wish.keyId);
    if (next.state !== 'next' && next.state !== 'former')
      throw new HoldfastError('boot.key_state', { key: next.keyId, state: next.state });
    const stranded = await this.#countMadeBefore(product, next.addedAt);
    if (stranded > 0 && wish.strand !== true)
      throw new HoldfastError('boot.rotation_strands', { key: next.keyId, devices: stranded });
    const former = keys.find(({ state }) => state === 'active');
    const at = clock.now();
    const imageKeyId = next.custody === 'sealed' ? next.keyId : undefined;
    const writes = [
      imageKeys.changing(next, 'active', at),
      ...(former === undefined ? [] : [imageKeys.changing(former, 'former', at)]),
      products.changing(product, { imageKeyId }),
    ];
    const details = { key: next.keyId, former: former?.keyId ?? null, stranded, reason: wish.reason.slice(0, 256) };
    await this.#commit(principal, product, { writes, action: 'product.key_rotated', details });
    return { ...next, state: 'active', changedAt: at, revision: next.revision + 1 };
  }

  /**
   * Accepts no image of this key any more. Devices whose boot code holds it still would.
   *
   * @throws `boot.unknown_image_key`, `boot.key_state` for the active one, which is rotated away from first
   */
  async revoke(
    principal: ProductActor,
    productName: string,
    { keyId, reason }: { readonly keyId: string; readonly reason: string },
  ): Promise<ImageKeyRecord> {
    const { clock, imageKeys } = this.#ports;
    const product = await this.#product(principal.tenant, productName);
    const keys = await this.list(product);
    const key = chosen(keys, keyId);
    if (key.state === 'revoked') return key;
    if (key.state === 'active') throw new HoldfastError('boot.key_state', { key: keyId, state: key.state });
    const state: ImageKeyState = 'revoked';
    const at = clock.now();
    const details = { key: keyId, slot: key.slot, reason: reason.slice(0, 256) };
    const writes = [imageKeys.changing(key, state, at)];
    await this.#commit(principal, product, { writes, action: 'product.key_revoked', details });
    return { ...key, state, changedAt: at, revision: key.revision + 1 };
  }

  /** The first change of a set writes down the key that was all of it. */
  async #keepFirst(product: ProductRecord, keys: readonly ImageKeyRecord[]): Promise<readonly Write[]> {
    const { imageKeys } = this.#ports;
    const kept = await imageKeys.list(product.tenant, product.name);
    return kept.length > 0 ? [] : keys.map((key) => imageKeys.inserting(key));
  }

  async #countMadeBefore({ tenant, name }: ProductRecord, at: EpochMs): Promise<number> {
    let count = 0;
    let after: string | undefined;
    do {
      const page = await this.#ports.devices.list(tenant, { product: name }, { after, limit: PAGE });
      count += page.rows.filter(({ createdAt, state }) => createdAt < at && !OUT.has(state)).length;
      after = page.next;
    } while (after !== undefined);
    return count;
  }

  async #product(tenant: Tenant, name: string): Promise<ProductRecord> {
    const product = await this.#ports.products.find(tenant, name);
    if (product === undefined) throw new HoldfastError('identity.unknown_product', { product: name });
    return product;
  }

  #commit(
    principal: ProductActor,
    { tenant, name }: ProductRecord,
    act: {
      readonly writes: readonly Write[];
      readonly action: string;
      readonly details: Readonly<Record<string, string | number | null>>;
    },
  ): Promise<unknown> {
    const { audit, outbox, store } = this.#ports;
    const { action, details } = act;
    return store.commit([
      ...act.writes,
      audit.entry({ tenant, actor: actorOf(principal), action, subject: name, details }),
      outbox.event({ tenant, name: 'product.changed', subject: name, data: { what: action } }),
    ]);
  }
}

/** Devices that take no update whatever signs it. */
const OUT: ReadonlySet<string> = new Set(['revoked', 'archived']);

function chosen(keys: readonly ImageKeyRecord[], keyId: string | undefined): ImageKeyRecord {
  const next = keys.filter(({ state }) => state === 'next');
  const key = keyId === undefined && next.length === 1 ? next[0] : keys.find((each) => each.keyId === keyId);
  if (key === undefined) throw new HoldfastError('boot.unknown_image_key', { next: next.length });
  return key;
}
