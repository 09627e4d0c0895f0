import type { OperatorRecord, OperatorRepository, Page, PageRequest, Tenant, Write } from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { OperatorTable } from '../tables/identity.ts';
import { compileWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';

const readOperator = defineRead((arg: ArgumentOf<{ tenant: string; name: string }>) =>
  query.selectFrom('operators').selectAll().where('tenant', '=', arg('tenant')).where('name', '=', arg('name')),
);

const readPage = defineRead((arg: ArgumentOf<{ tenant: string; after: string; limit: number }>) =>
  query
    .selectFrom('operators')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('name', '>', arg('after'))
    .orderBy('name')
    .limit(arg('limit')),
);

export class SqlOperatorRepository implements OperatorRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, name: string): Promise<OperatorRecord | undefined> {
    const row = await this.#reader.first(readOperator({ tenant, name }));
    return row && fromRow(row);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<OperatorRecord>> {
    const rows = await this.#reader.all(readPage({ tenant, after: page.after ?? '', limit: page.limit + 1 }));
    return pageOf(rows.map(fromRow), page, ({ name }) => name);
  }

  inserting(operator: OperatorRecord): Write {
    const { tenant, name, role, state, createdAt, createdBy } = operator;
    return compileWrite(
      query.insertInto('operators').values({ tenant, name, role, state, created_at: createdAt, created_by: createdBy }),
      { expectRows: 1 },
    );
  }

  changing(from: OperatorRecord, change: Partial<Pick<OperatorRecord, 'role' | 'state'>>): Write {
    const { role, state } = { ...from, ...change };
    return compileWrite(
      query
        .updateTable('operators')
        .set({ role, state })
        .where('tenant', '=', from.tenant)
        .where('name', '=', from.name)
        .where('role', '=', from.role)
        .where('state', '=', from.state),
      { expectRows: 1 },
    );
  }
}

function fromRow(row: OperatorTable): OperatorRecord {
  return {
    tenant: row.tenant,
    name: row.name,
    role: row.role as OperatorRecord['role'],
    state: row.state as OperatorRecord['state'],
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
