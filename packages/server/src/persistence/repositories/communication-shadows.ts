import type { DeviceId, Page, PageRequest, ShadowRecord, ShadowRepository, Tenant, Write } from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import { compileWrite, defineWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';

const ONE = { expectRows: 1 } as const;

interface ShadowRow {
  tenant: string;
  deviceId: string;
  name: string;
  version: number;
  changedAt: number;
  deleted: number;
}

const readShadow = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string; name: string }>) =>
  query
    .selectFrom('shadows')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('device_id', '=', arg('deviceId'))
    .where('name', '=', arg('name')),
);

/** The classic shadow has no name, so every name comes after its. */
const readNames = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string; after: string; limit: number }>) =>
  query
    .selectFrom('shadows')
    .select('name')
    .where('tenant', '=', arg('tenant'))
    .where('device_id', '=', arg('deviceId'))
    .where('name', '>', arg('after'))
    .where('deleted', '=', 0)
    .orderBy('name')
    .limit(arg('limit')),
);

const readCount = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string }>) =>
  query
    .selectFrom('shadows')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('tenant', '=', arg('tenant'))
    .where('device_id', '=', arg('deviceId')),
);

const insertShadow = defineWrite<ShadowRow>(
  (arg) =>
    query.insertInto('shadows').values({
      tenant: arg('tenant'),
      device_id: arg('deviceId'),
      name: arg('name'),
      version: arg('version'),
      changed_at: arg('changedAt'),
      deleted: arg('deleted'),
    }),
  ONE,
);

const changeShadow = defineWrite<ShadowRow & { fromVersion: number; fromDeleted: number }>(
  (arg) =>
    query
      .updateTable('shadows')
      .set({ version: arg('version'), changed_at: arg('changedAt'), deleted: arg('deleted') })
      .where('tenant', '=', arg('tenant'))
      .where('device_id', '=', arg('deviceId'))
      .where('name', '=', arg('name'))
      .where('version', '=', arg('fromVersion'))
      .where('deleted', '=', arg('fromDeleted')),
  ONE,
);

/** Which shadows there are and how far each has come. */
export class SqlShadowRepository implements ShadowRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, deviceId: DeviceId, name: string): Promise<ShadowRecord | undefined> {
    const row = await this.#reader.first(readShadow({ tenant, deviceId, name }));
    if (row === undefined) return undefined;
    return { tenant, deviceId, name, version: row.version, changedAt: row.changed_at, deleted: row.deleted === 1 };
  }

  async names(tenant: Tenant, deviceId: DeviceId, page: PageRequest): Promise<Page<string>> {
    const { after = '', limit } = page;
    const rows = await this.#reader.all(readNames({ tenant, deviceId, after, limit: limit + 1 }));
    return pageOf(
      rows.map(({ name }) => name),
      page,
      (name) => name,
    );
  }

  async count(tenant: Tenant, deviceId: DeviceId): Promise<number> {
    return (await this.#reader.first(readCount({ tenant, deviceId })))?.count ?? 0;
  }

  inserting(shadow: ShadowRecord): Write {
    return insertShadow(toRow(shadow));
  }

  changing(from: ShadowRecord, to: ShadowRecord): Write {
    return changeShadow({ ...toRow(to), fromVersion: from.version, fromDeleted: from.deleted ? 1 : 0 });
  }

  forgetting(tenant: Tenant, deviceId: DeviceId, at: number): Write {
    return compileWrite(
      query
        .deleteFrom('shadows')
        .where('tenant', '=', tenant)
        .where('device_id', '=', deviceId)
        .where('deleted', '=', 1)
        .where('changed_at', '<', at),
    );
  }
}

function toRow({ deleted, ...shadow }: ShadowRecord): ShadowRow {
  return { ...shadow, deleted: deleted ? 1 : 0 };
}
