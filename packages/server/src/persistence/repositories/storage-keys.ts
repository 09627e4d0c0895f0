import type {
  KeyPairRecord,
  KeyPairRepository,
  KeyState,
  KeyUsage,
  Tenant,
  TenantKeyRecord,
  TenantKeyRepository,
  Write,
} from '@holdfast/trust/ports';
import type { Selectable } from 'kysely';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead, defineShapedRead, type Has } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { KeyPairTable, TenantKeyTable } from '../tables/storage.ts';
import { compileWrite } from '../write.ts';

const ONE = { expectRows: 1 } as const;

type OfTenant = { readonly tenant: string | undefined };

const readTenantKeys = defineShapedRead((arg: ArgumentOf<OfTenant>, has: Has<OfTenant>) => {
  const all = query.selectFrom('tenant_keys').selectAll().orderBy('tenant').orderBy('version');
  return has('tenant') ? all.where('tenant', '=', arg('tenant')) : all;
});

type PairArgs = { readonly tenant: string; readonly keyId: string; readonly version: number | undefined };

const readKeyPair = defineShapedRead((arg: ArgumentOf<PairArgs>, has: Has<PairArgs>) => {
  const all = query
    .selectFrom('key_pairs')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('key_id', '=', arg('keyId'));
  return has('version') ? all.where('version', '=', arg('version')) : all.orderBy('version', 'desc').limit(1);
});

const readKeyPairs = defineRead((arg: ArgumentOf<{ tenant: string }>) =>
  query.selectFrom('key_pairs').selectAll().where('tenant', '=', arg('tenant')).orderBy('key_id').orderBy('version'),
);

export class SqlTenantKeys implements TenantKeyRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async list(tenant?: Tenant): Promise<readonly TenantKeyRecord[]> {
    const rows = await this.#reader.all(readTenantKeys({ tenant }));
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

export class SqlKeyPairs implements KeyPairRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, keyId: string, version?: number): Promise<KeyPairRecord | undefined> {
    const row = await this.#reader.first(readKeyPair({ tenant, keyId, version }));
    return row && toKeyPair(row);
  }

  async list(tenant: Tenant): Promise<readonly KeyPairRecord[]> {
    return (await this.#reader.all(readKeyPairs({ tenant }))).map(toKeyPair);
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
