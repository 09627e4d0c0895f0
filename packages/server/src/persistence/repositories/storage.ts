import type {
  ArtifactRecord,
  ArtifactRepository,
  ArtifactState,
  KeyPairRecord,
  KeyPairRepository,
  KeyState,
  KeyUsage,
  Page,
  PageRequest,
  SealedPlace,
  SealedRecord,
  SealedRepository,
  Tenant,
  TenantKeyRecord,
  TenantKeyRepository,
  Write,
} from '@holdfast/trust/ports';
import type { Selectable } from 'kysely';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { ArtifactTable, KeyPairTable, SealedRecordTable, TenantKeyTable } from '../tables/storage.ts';
import { compileWrite } from '../write.ts';

const ONE = { expectRows: 1 } as const;

export class SqlTenantKeys implements TenantKeyRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async list(tenant?: Tenant): Promise<readonly TenantKeyRecord[]> {
    const all = query.selectFrom('tenant_keys').selectAll().orderBy('tenant').orderBy('version');
    const rows = await this.#reader.all(tenant === undefined ? all : all.where('tenant', '=', tenant));
    return rows.map(toTenantKey);
  }

  inserting({ tenant, version, state, wrapped, createdAt, changedAt }: TenantKeyRecord): Write {
    const row = { tenant, version, state, wrapped: wrapped ?? null, created_at: createdAt, changed_at: changedAt };
    return compileWrite(query.insertInto('tenant_keys').values(row), ONE);
  }

  changing({ tenant, version, state: from }: TenantKeyRecord, state: KeyState, at: number): Write {
    const change = { state, changed_at: at, ...(state === 'destroyed' ? { wrapped: null } : {}) };
    return compileWrite(
      query
        .updateTable('tenant_keys')
        .set(change)
        .where('tenant', '=', tenant)
        .where('version', '=', version)
        .where('state', '=', from),
      ONE,
    );
  }
}

export class SqlSealedRecords implements SealedRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(place: SealedPlace): Promise<SealedRecord | undefined> {
    const row = await this.#reader.first(
      query
        .selectFrom('sealed_records')
        .selectAll()
        .where('tenant', '=', place.tenant)
        .where('kind', '=', place.kind)
        .where('id', '=', place.id)
        .where('version', '=', place.version),
    );
    return row && toSealed(row);
  }

  async newest(tenant: Tenant, kind: string, id: string): Promise<SealedRecord | undefined> {
    const row = await this.#reader.first(
      query
        .selectFrom('sealed_records')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('kind', '=', kind)
        .where('id', '=', id)
        .orderBy('version', 'desc')
        .limit(1),
    );
    return row && toSealed(row);
  }

  async list(tenant: Tenant, kind: string, page: PageRequest): Promise<Page<Omit<SealedRecord, 'sealed'>>> {
    const rows = await this.#reader.all(
      query
        .selectFrom('sealed_records as r')
        .select(['r.tenant', 'r.kind', 'r.id', 'r.version', 'r.key_version', 'r.created_at'])
        .where('r.tenant', '=', tenant)
        .where('r.kind', '=', kind)
        .where('r.id', '>', page.after ?? '')
        .where('r.version', '=', (eb) =>
          eb
            .selectFrom('sealed_records as n')
            .select((x) => x.fn.max('n.version').as('newest'))
            .where('n.tenant', '=', tenant)
            .where('n.kind', '=', kind)
            .whereRef('n.id', '=', 'r.id'),
        )
        .orderBy('r.id')
        .limit(page.limit),
    );
    const listed = rows.map(({ key_version, created_at, ...place }) => ({
      ...place,
      keyVersion: key_version,
      createdAt: created_at,
    }));
    return { rows: listed, next: rows.length === page.limit ? rows.at(-1)?.id : undefined };
  }

  async walk(after: SealedPlace | undefined, limit: number): Promise<readonly SealedRecord[]> {
    let all = query.selectFrom('sealed_records').selectAll();
    if (after) {
      all = all.where((eb) =>
        eb(
          eb.refTuple('tenant', 'kind', 'id', 'version'),
          '>',
          eb.tuple(after.tenant, after.kind, after.id, after.version),
        ),
      );
    }
    const ordered = all.orderBy('tenant').orderBy('kind').orderBy('id').orderBy('version').limit(limit);
    return (await this.#reader.all(ordered)).map(toSealed);
  }

  async wrappedBelow(tenant: Tenant, keyVersion: number, limit: number): Promise<readonly SealedRecord[]> {
    const rows = await this.#reader.all(
      query
        .selectFrom('sealed_records')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('key_version', '<', keyVersion)
        .limit(limit),
    );
    return rows.map(toSealed);
  }

  inserting({ keyVersion, createdAt, ...record }: SealedRecord): Write {
    const row = { ...record, key_version: keyVersion, created_at: createdAt };
    return compileWrite(query.insertInto('sealed_records').values(row), ONE);
  }

  rewrapping({ tenant, kind, id, version, keyVersion: from }: SealedRecord, sealed: Uint8Array, keyVersion: number) {
    return compileWrite(
      query
        .updateTable('sealed_records')
        .set({ sealed, key_version: keyVersion })
        .where('tenant', '=', tenant)
        .where('kind', '=', kind)
        .where('id', '=', id)
        .where('version', '=', version)
        .where('key_version', '=', from),
      ONE,
    );
  }

  deleting({ tenant, kind, id, version }: SealedPlace): Write {
    return compileWrite(
      query
        .deleteFrom('sealed_records')
        .where('tenant', '=', tenant)
        .where('kind', '=', kind)
        .where('id', '=', id)
        .where('version', '=', version),
      ONE,
    );
  }

  deletingAll(tenant: Tenant, kind: string, id: string): Write {
    return compileWrite(
      query.deleteFrom('sealed_records').where('tenant', '=', tenant).where('kind', '=', kind).where('id', '=', id),
    );
  }
}

export class SqlKeyPairs implements KeyPairRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, keyId: string, version?: number): Promise<KeyPairRecord | undefined> {
    const all = query.selectFrom('key_pairs').selectAll().where('tenant', '=', tenant).where('key_id', '=', keyId);
    const wanted = version === undefined ? all.orderBy('version', 'desc').limit(1) : all.where('version', '=', version);
    const row = await this.#reader.first(wanted);
    return row && toKeyPair(row);
  }

  async list(tenant: Tenant): Promise<readonly KeyPairRecord[]> {
    const all = query.selectFrom('key_pairs').selectAll().where('tenant', '=', tenant);
    return (await this.#reader.all(all.orderBy('key_id').orderBy('version'))).map(toKeyPair);
  }

  inserting({ keyId, createdAt, changedAt, ...record }: KeyPairRecord): Write {
    const row = { ...record, key_id: keyId, created_at: createdAt, changed_at: changedAt };
    return compileWrite(query.insertInto('key_pairs').values(row), ONE);
  }

  changing({ tenant, keyId, version, state: from }: KeyPairRecord, state: KeyState, at: number): Write {
    return compileWrite(
      query
        .updateTable('key_pairs')
        .set({ state, changed_at: at })
        .where('tenant', '=', tenant)
        .where('key_id', '=', keyId)
        .where('version', '=', version)
        .where('state', '=', from),
      ONE,
    );
  }
}

export class SqlArtifacts implements ArtifactRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, artifactId: string): Promise<ArtifactRecord | undefined> {
    const row = await this.#reader.first(
      query.selectFrom('artifacts').selectAll().where('tenant', '=', tenant).where('artifact_id', '=', artifactId),
    );
    return row && toArtifact(row);
  }

  async exists(artifactId: string): Promise<boolean> {
    const found = query.selectFrom('artifacts').select('size').where('artifact_id', '=', artifactId);
    return (await this.#reader.first(found)) !== undefined;
  }

  async checkedBefore(at: number, limit: number): Promise<readonly ArtifactRecord[]> {
    const rows = await this.#reader.all(
      query
        .selectFrom('artifacts')
        .selectAll()
        .where('state', '=', 'intact')
        .where('checked_at', '<', at)
        .orderBy('checked_at')
        .limit(limit),
    );
    return rows.map(toArtifact);
  }

  async wrappedBelow(tenant: Tenant, keyVersion: number, limit: number): Promise<readonly ArtifactRecord[]> {
    const rows = await this.#reader.all(
      query
        .selectFrom('artifacts')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('key_version', '<', keyVersion)
        .limit(limit),
    );
    return rows.map(toArtifact);
  }

  inserting({ artifactId, keyVersion, createdAt, checkedAt, ...record }: ArtifactRecord): Write {
    const row = {
      ...record,
      artifact_id: artifactId,
      key_version: keyVersion,
      created_at: createdAt,
      checked_at: checkedAt,
    };
    return compileWrite(query.insertInto('artifacts').values(row), ONE);
  }

  rewrapping({ artifactId, keyVersion: from }: ArtifactRecord, head: Uint8Array, keyVersion: number): Write {
    return compileWrite(
      query
        .updateTable('artifacts')
        .set({ head, key_version: keyVersion })
        .where('artifact_id', '=', artifactId)
        .where('key_version', '=', from),
      ONE,
    );
  }

  checking({ artifactId }: ArtifactRecord, at: number): Write {
    return compileWrite(query.updateTable('artifacts').set({ checked_at: at }).where('artifact_id', '=', artifactId));
  }

  condemning({ artifactId }: ArtifactRecord, at: number): Write {
    return compileWrite(
      query
        .updateTable('artifacts')
        .set({ state: 'corrupt', checked_at: at })
        .where('artifact_id', '=', artifactId)
        .where('state', '=', 'intact'),
      ONE,
    );
  }

  deleting(tenant: Tenant, artifactId: string): Write {
    return compileWrite(
      query.deleteFrom('artifacts').where('tenant', '=', tenant).where('artifact_id', '=', artifactId),
      ONE,
    );
  }
}

function toTenantKey(row: Selectable<TenantKeyTable>): TenantKeyRecord {
  const { tenant, version, state, wrapped, created_at, changed_at } = row;
  return {
    tenant,
    version,
    state: state as KeyState,
    wrapped: wrapped ?? undefined,
    createdAt: created_at,
    changedAt: changed_at,
  };
}

function toSealed({ key_version, created_at, ...rest }: Selectable<SealedRecordTable>): SealedRecord {
  return { ...rest, keyVersion: key_version, createdAt: created_at };
}

function toKeyPair(row: Selectable<KeyPairTable>): KeyPairRecord {
  const { key_id, usage, state, created_at, changed_at, ...rest } = row;
  return {
    ...rest,
    keyId: key_id,
    usage: usage as KeyUsage,
    state: state as KeyState,
    createdAt: created_at,
    changedAt: changed_at,
  };
}

function toArtifact(row: Selectable<ArtifactTable>): ArtifactRecord {
  const { artifact_id, state, key_version, created_at, checked_at, ...rest } = row;
  return {
    ...rest,
    artifactId: artifact_id,
    state: state as ArtifactState,
    keyVersion: key_version,
    createdAt: created_at,
    checkedAt: checked_at,
  };
}
