import type {
  CommunicationRepositories,
  DeviceId,
  Page,
  PageRequest,
  PolicyRecord,
  PolicyRepository,
  PolicyTarget,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { PolicyTable } from '../tables/communication.ts';
import { compileWrite } from '../write.ts';
import { SqlShadowRepository } from './communication-shadows.ts';
import { pageOf } from './keyset-page.ts';

const readPolicy = defineRead((arg: ArgumentOf<{ tenant: string; name: string }>) =>
  query.selectFrom('policies').selectAll().where('tenant', '=', arg('tenant')).where('name', '=', arg('name')),
);

const readPage = defineRead((arg: ArgumentOf<{ tenant: string; after: string; limit: number }>) =>
  query
    .selectFrom('policies')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('name', '>', arg('after'))
    .orderBy('name')
    .limit(arg('limit')),
);

const readTargets = defineRead((arg: ArgumentOf<{ tenant: string; name: string; limit: number }>) =>
  query
    .selectFrom('policy_attachments')
    .select(['target_kind', 'target_id'])
    .where('tenant', '=', arg('tenant'))
    .where('policy', '=', arg('name'))
    .orderBy('target_kind')
    .orderBy('target_id')
    .limit(arg('limit')),
);

const readAttached = defineRead((arg: ArgumentOf<{ tenant: string; kind: string; id: string }>) =>
  query
    .selectFrom('policy_attachments')
    .select('policy')
    .where('tenant', '=', arg('tenant'))
    .where('target_kind', '=', arg('kind'))
    .where('target_id', '=', arg('id'))
    .orderBy('policy'),
);

const readReaching = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string }>) =>
  query
    .selectFrom('policy_attachments')
    .select('policy')
    .where('tenant', '=', arg('tenant'))
    .where('target_kind', '=', 'device')
    .where('target_id', '=', arg('deviceId'))
    .union(
      query
        .selectFrom('device_groups')
        .innerJoin('policy_attachments', (join) =>
          join
            .onRef('policy_attachments.tenant', '=', 'device_groups.tenant')
            .onRef('policy_attachments.target_id', '=', 'device_groups.group_name')
            .on('policy_attachments.target_kind', '=', 'group'),
        )
        .select('policy_attachments.policy')
        .where('device_groups.tenant', '=', arg('tenant'))
        .where('device_groups.device_id', '=', arg('deviceId')),
    )
    .orderBy('policy'),
);

class SqlPolicyRepository implements PolicyRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, name: string): Promise<PolicyRecord | undefined> {
    const row = await this.#reader.first(readPolicy({ tenant, name }));
    return row && fromRow(row);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<PolicyRecord>> {
    const rows = await this.#reader.all(readPage({ tenant, after: page.after ?? '', limit: page.limit + 1 }));
    return pageOf(rows.map(fromRow), page, ({ name }) => name);
  }

  async attachedTo(tenant: Tenant, { kind, id }: PolicyTarget): Promise<readonly string[]> {
    const rows = await this.#reader.all(readAttached({ tenant, kind, id }));
    return rows.map(({ policy }) => policy);
  }

  async reaching(tenant: Tenant, deviceId: DeviceId): Promise<readonly string[]> {
    const rows = await this.#reader.all(readReaching({ tenant, deviceId }));
    return rows.map(({ policy }) => policy);
  }

  async targetsOf(tenant: Tenant, name: string, limit: number): Promise<readonly PolicyTarget[]> {
    const rows = await this.#reader.all(readTargets({ tenant, name, limit }));
    return rows.map((row) => ({ kind: row.target_kind as PolicyTarget['kind'], id: row.target_id }));
  }

  inserting(policy: PolicyRecord): Write {
    return compileWrite(
      query.insertInto('policies').values({
        tenant: policy.tenant,
        name: policy.name,
        document: policy.document,
        version: policy.version,
        created_at: policy.createdAt,
        changed_at: policy.changedAt,
      }),
      { expectRows: 1 },
    );
  }

  changing(from: PolicyRecord, to: Pick<PolicyRecord, 'document' | 'changedAt'>): Write {
    return compileWrite(
      query
        .updateTable('policies')
        .set({ document: to.document, changed_at: to.changedAt, version: from.version + 1 })
        .where('tenant', '=', from.tenant)
        .where('name', '=', from.name)
        .where('version', '=', from.version),
      { expectRows: 1 },
    );
  }

  removing(policy: PolicyRecord): Write {
    return compileWrite(
      query
        .deleteFrom('policies')
        .where('tenant', '=', policy.tenant)
        .where('name', '=', policy.name)
        .where('version', '=', policy.version),
      { expectRows: 1 },
    );
  }

  attaching(tenant: Tenant, name: string, target: PolicyTarget): Write {
    return compileWrite(
      query
        .insertInto('policy_attachments')
        .values({ tenant, target_kind: target.kind, target_id: target.id, policy: name })
        .onConflict((each) => each.columns(['tenant', 'target_kind', 'target_id', 'policy']).doNothing()),
    );
  }

  detaching(tenant: Tenant, name: string, target: PolicyTarget): Write {
    return compileWrite(
      query
        .deleteFrom('policy_attachments')
        .where('tenant', '=', tenant)
        .where('target_kind', '=', target.kind)
        .where('target_id', '=', target.id)
        .where('policy', '=', name),
    );
  }
}

export function communicationRepositories(reader: Reader): CommunicationRepositories {
  return { policies: new SqlPolicyRepository(reader), shadows: new SqlShadowRepository(reader) };
}

function fromRow(row: PolicyTable): PolicyRecord {
  return {
    tenant: row.tenant,
    name: row.name,
    document: row.document,
    version: row.version,
    createdAt: row.created_at,
    changedAt: row.changed_at,
  };
}
