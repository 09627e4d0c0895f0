import { type Clock, HoldfastError } from '@holdfast/kernel';
import type { AuditActor, AuditLog, Page, PageRequest, SealedRepository, Store, Tenant } from '../ports/index.ts';
import type { SealedFields } from './sealed-fields.ts';

const KIND = 'secret';

export interface SealedSecretsPorts {
  readonly fields: SealedFields;
  readonly sealedRecords: SealedRepository;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

/** A secret as a list shows it: never the value. */
export interface SecretListing {
  readonly name: string;
  readonly version: number;
  readonly createdAt: number;
}

/** Named secrets in versions, each sealed for its own place; every reading is audited before the value is given. */
export class SealedSecrets {
  readonly #ports: SealedSecretsPorts;

  constructor(ports: SealedSecretsPorts) {
    this.#ports = ports;
  }

  /** Stores a new version and gives its number. @throws `store.conflict` when another version was stored meanwhile. */
  async put(tenant: Tenant, name: string, value: Uint8Array, actor: AuditActor): Promise<number> {
    const { fields, sealedRecords, store, audit, clock } = this.#ports;
    const version = ((await sealedRecords.newest(tenant, KIND, name))?.version ?? 0) + 1;
    const place = { tenant, kind: KIND, id: name, version };
    const sealing = await fields.seal(place, value);
    await store.commit([
      sealedRecords.inserting({ ...place, ...sealing, createdAt: clock.now() }),
      audit.entry({ tenant, actor, action: 'secret.stored', subject: name, details: { version } }),
    ]);
    return version;
  }

  /**
   * The value of a version, the newest when none is named.
   *
   * @throws `storage.unknown_secret`; `crypto.open_failed` when the row was moved, altered or rolled back.
   */
  async read(tenant: Tenant, name: string, actor: AuditActor, version?: number): Promise<Uint8Array> {
    const { fields, sealedRecords, store, audit } = this.#ports;
    const record =
      version === undefined
        ? await sealedRecords.newest(tenant, KIND, name)
        : await sealedRecords.find({ tenant, kind: KIND, id: name, version });
    if (!record) throw new HoldfastError('storage.unknown_secret', { name, version });
    const value = await fields.open({ tenant, kind: KIND, id: name, version: record.version }, record.sealed);
    const details = { version: record.version };
    await store.commit([audit.entry({ tenant, actor, action: 'secret.read', subject: name, details })]);
    return value;
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<SecretListing>> {
    const { rows, next } = await this.#ports.sealedRecords.list(tenant, KIND, page);
    return { rows: rows.map(({ id, version, createdAt }) => ({ name: id, version, createdAt })), next };
  }

  /** Deletes every version. @throws `storage.unknown_secret` */
  async delete(tenant: Tenant, name: string, actor: AuditActor): Promise<void> {
    const { sealedRecords, store, audit } = this.#ports;
    const newest = await sealedRecords.newest(tenant, KIND, name);
    if (!newest) throw new HoldfastError('storage.unknown_secret', { name });
    await store.commit([
      sealedRecords.deletingAll(tenant, KIND, name),
      audit.entry({ tenant, actor, action: 'secret.deleted', subject: name, details: { version: newest.version } }),
    ]);
  }
}
