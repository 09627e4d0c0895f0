import { type Clock, HoldfastError, type Random } from '@holdfast/kernel';
import type { SealedRecord, SealedRepository, Store, Tenant } from '@holdfast/trust/ports';

export interface MessageKey {
  readonly epoch: number;
  /** 32 octets. */
  readonly key: Uint8Array;
}

/** Keys of message rows: one for each tenant and life of the process, in clear in memory only. */
export interface MessageKeys {
  /** Makes and keeps a fresh key; `epoch` is above every one the tenant still has. */
  create(tenant: Tenant): Promise<MessageKey>;
  /** @throws `crypto.open_failed`, `storage.key_destroyed` when the key is gone. */
  find(tenant: Tenant, epoch: number): Promise<MessageKey>;
  /** Drops the keys of a tenant that no row needs. */
  keepOnly(tenant: Tenant, epochs: ReadonlySet<number>): Promise<void>;
}

type Place = Pick<SealedRecord, 'tenant' | 'kind' | 'id' | 'version'>;

/** Seals under the tenant's key of the keyring, for one place. */
export interface PlaceSealer {
  seal(place: Place, plaintext: Uint8Array): Promise<Pick<SealedRecord, 'sealed' | 'keyVersion'>>;
  open(place: Place, sealed: Uint8Array): Promise<Uint8Array>;
}

export interface SealedMessageKeysPorts {
  readonly fields: PlaceSealer;
  readonly sealedRecords: Pick<SealedRepository, 'find' | 'list' | 'inserting' | 'deleting'>;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** What the keys are for; each purpose has its own. */
  readonly kind?: string;
}

const KIND = 'mqtt-key';
const KEY_BYTES = 32;
const PAGE = 1_000;
const ATTEMPTS = 8;

/** Message keys as sealed records, so that rotating or shredding a tenant's key reaches its messages. */
export class SealedMessageKeys implements MessageKeys {
  readonly #ports: SealedMessageKeysPorts;
  readonly #kind: string;

  constructor(ports: SealedMessageKeysPorts) {
    this.#ports = ports;
    this.#kind = ports.kind ?? KIND;
  }

  async create(tenant: Tenant): Promise<MessageKey> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#create(tenant);
      } catch (error) {
        // Another node took the same number.
        if (!HoldfastError.is(error) || error.code !== 'store.conflict' || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async #create(tenant: Tenant): Promise<MessageKey> {
    const { clock, fields, random, sealedRecords, store } = this.#ports;
    const epoch = Math.max(0, ...(await this.#epochs(tenant))) + 1;
    const key = random.bytes(KEY_BYTES);
    const place = this.#placeOf(tenant, epoch);
    const sealing = await fields.seal(place, key);
    await store.commit([sealedRecords.inserting({ ...place, ...sealing, createdAt: clock.now() })]);
    return { epoch, key };
  }

  async find(tenant: Tenant, epoch: number): Promise<MessageKey> {
    const place = this.#placeOf(tenant, epoch);
    const record = await this.#ports.sealedRecords.find(place);
    return { epoch, key: await this.#ports.fields.open(place, record?.sealed ?? new Uint8Array(0)) };
  }

  async keepOnly(tenant: Tenant, epochs: ReadonlySet<number>): Promise<void> {
    const { sealedRecords, store } = this.#ports;
    const unused = (await this.#epochs(tenant)).filter((epoch) => !epochs.has(epoch));
    if (unused.length === 0) return;
    await store.commit(unused.map((epoch) => sealedRecords.deleting(this.#placeOf(tenant, epoch))));
  }

  async #epochs(tenant: Tenant): Promise<readonly number[]> {
    const epochs: number[] = [];
    let after: string | undefined;
    do {
      const page = await this.#ports.sealedRecords.list(tenant, this.#kind, { after, limit: PAGE });
      for (const { id } of page.rows) epochs.push(Number.parseInt(id, 16));
      after = page.next;
    } while (after !== undefined);
    return epochs;
  }

  #placeOf(tenant: Tenant, epoch: number): Place {
    return { tenant, kind: this.#kind, id: epoch.toString(16).padStart(8, '0'), version: 1 };
  }
}
