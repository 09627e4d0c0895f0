import type {
  Page,
  PageRequest,
  SealedPlace,
  SealedRecord,
  SealedRepository,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { Selectable } from 'kysely';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead, defineShapedRead, type Has } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { SealedRecordTable } from '../tables/storage.ts';
import { compileWrite } from '../write.ts';

const ONE = { expectRows: 1 } as const;

const readRecord = defineRead((arg: ArgumentOf<{ tenant: string; kind: string; id: string; version: number }>) =>
  query
    .selectFrom('sealed_records')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('kind', '=', arg('kind'))
    .where('id', '=', arg('id'))
    .where('version', '=', arg('version')),
);

const readNewest = defineRead((arg: ArgumentOf<{ tenant: string; kind: string; id: string }>) =>
  query
    .selectFrom('sealed_records')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('kind', '=', arg('kind'))
    .where('id', '=', arg('id'))
    .orderBy('version', 'desc')
    .limit(1),
);

const readPage = defineRead((arg: ArgumentOf<{ tenant: string; kind: string; after: string; limit: number }>) =>
  query
    .selectFrom('sealed_records as r')
    .select(['r.tenant', 'r.kind', 'r.id', 'r.version', 'r.key_version', 'r.created_at'])
    .where('r.tenant', '=', arg('tenant'))
    .where('r.kind', '=', arg('kind'))
    .where('r.id', '>', arg('after'))
    .where('r.version', '=', (eb) =>
      eb
        .selectFrom('sealed_records as n')
        .select((x) => x.fn.max('n.version').as('newest'))
        .where('n.tenant', '=', arg('tenant'))
        .where('n.kind', '=', arg('kind'))
        .whereRef('n.id', '=', 'r.id'),
    )
    .orderBy('r.id')
    .limit(arg('limit')),
);

const readWrappedBelow = defineRead((arg: ArgumentOf<{ tenant: string; keyVersion: number; limit: number }>) =>
  query
    .selectFrom('sealed_records')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('key_version', '<', arg('keyVersion'))
    .limit(arg('limit')),
);

type WalkArgs = Partial<SealedPlace> & { readonly limit: number };

const readWalk = defineShapedRead((arg: ArgumentOf<WalkArgs>, has: Has<WalkArgs>) => {
  let all = query.selectFrom('sealed_records').selectAll();
  if (has('id')) {
    all = all.where((eb) =>
      eb(
        eb.refTuple('tenant', 'kind', 'id', 'version'),
        '>',
        eb.tuple(arg('tenant'), arg('kind'), arg('id'), arg('version')),
      ),
    );
  }
  return all.orderBy('tenant').orderBy('kind').orderBy('id').orderBy('version').limit(arg('limit'));
});

export class SqlSealedRecords implements SealedRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(place: SealedPlace): Promise<SealedRecord | undefined> {
    const row = await this.#reader.first(
      readRecord({ tenant: place.tenant, kind: place.kind, id: place.id, version: place.version }),
    );
    return row && toSealed(row);
  }

  async newest(tenant: Tenant, kind: string, id: string): Promise<SealedRecord | undefined> {
    const row = await this.#reader.first(readNewest({ tenant, kind, id }));
    return row && toSealed(row);
  }

  async list(tenant: Tenant, kind: string, page: PageRequest): Promise<Page<Omit<SealedRecord, 'sealed'>>> {
    const rows = await this.#reader.all(readPage({ tenant, kind, after: page.after ?? '', limit: page.limit }));
    const listed = rows.map(({ key_version, created_at, ...place }) => ({
      ...place,
      keyVersion: key_version,
      createdAt: created_at,
    }));
    return { rows: listed, next: rows.length === page.limit ? rows.at(-1)?.id : undefined };
  }

  async walk(after: SealedPlace | undefined, limit: number): Promise<readonly SealedRecord[]> {
    return (await this.#reader.all(readWalk({ ...after, limit }))).map(toSealed);
  }

  async wrappedBelow(tenant: Tenant, keyVersion: number, limit: number): Promise<readonly SealedRecord[]> {
    const rows = await this.#reader.all(readWrappedBelow({ tenant, keyVersion, limit }));
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

function toSealed({ key_version, created_at, ...rest }: Selectable<SealedRecordTable>): SealedRecord {
  return { ...rest, keyVersion: key_version, createdAt: created_at };
}
