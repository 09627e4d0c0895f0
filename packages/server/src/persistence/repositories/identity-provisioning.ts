import type {
  Fingerprint,
  ManufacturerRecord,
  ManufacturerRepository,
  ManufacturerState,
  Page,
  PageRequest,
  ProvisioningTemplateRecord,
  ProvisioningTemplateRepository,
  ProvisioningTemplateVersion,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { ManufacturerTable, ProvisioningTemplateTable } from '../tables/identity.ts';
import { compileWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';

const inForce = () =>
  query
    .selectFrom('provisioning_templates')
    .innerJoin('provisioning_template_versions', (join) =>
      join
        .onRef('provisioning_template_versions.tenant', '=', 'provisioning_templates.tenant')
        .onRef('provisioning_template_versions.name', '=', 'provisioning_templates.name')
        .onRef('provisioning_template_versions.version', '=', 'provisioning_templates.version'),
    )
    .selectAll('provisioning_templates')
    .select('provisioning_template_versions.body');

const readTemplate = defineRead((arg: ArgumentOf<{ tenant: string; name: string }>) =>
  inForce()
    .where('provisioning_templates.tenant', '=', arg('tenant'))
    .where('provisioning_templates.name', '=', arg('name')),
);

const readTemplates = defineRead((arg: ArgumentOf<{ tenant: string; after: string; limit: number }>) =>
  inForce()
    .where('provisioning_templates.tenant', '=', arg('tenant'))
    .where('provisioning_templates.name', '>', arg('after'))
    .orderBy('provisioning_templates.name')
    .limit(arg('limit')),
);

const readVersions = defineRead((arg: ArgumentOf<{ tenant: string; name: string }>) =>
  query
    .selectFrom('provisioning_template_versions')
    .select(['version', 'body', 'created_at', 'created_by'])
    .where('tenant', '=', arg('tenant'))
    .where('name', '=', arg('name'))
    .orderBy('version', 'desc'),
);

const readManufacturer = defineRead((arg: ArgumentOf<{ tenant: string; fingerprint: string }>) =>
  query
    .selectFrom('manufacturers')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('fingerprint', '=', arg('fingerprint')),
);

const readManufacturers = defineRead((arg: ArgumentOf<{ tenant: string; after: string; limit: number }>) =>
  query
    .selectFrom('manufacturers')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('fingerprint', '>', arg('after'))
    .orderBy('fingerprint')
    .limit(arg('limit')),
);

const readTrusted = defineRead((arg: ArgumentOf<{ revoked: string }>) =>
  query
    .selectFrom('manufacturers')
    .innerJoin('certificates', 'certificates.fingerprint', 'manufacturers.fingerprint')
    .select('certificates.der')
    .where('manufacturers.state', '!=', arg('revoked'))
    .orderBy('manufacturers.fingerprint'),
);

export class SqlProvisioningTemplateRepository implements ProvisioningTemplateRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, name: string): Promise<ProvisioningTemplateRecord | undefined> {
    const row = await this.#reader.first(readTemplate({ tenant, name }));
    return row && templateFromRow(row);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<ProvisioningTemplateRecord>> {
    const rows = await this.#reader.all(readTemplates({ tenant, after: page.after ?? '', limit: page.limit + 1 }));
    return pageOf(rows.map(templateFromRow), page, ({ name }) => name);
  }

  async versions(tenant: Tenant, name: string): Promise<readonly ProvisioningTemplateVersion[]> {
    const rows = await this.#reader.all(readVersions({ tenant, name }));
    return rows.map((row) => ({
      version: row.version,
      body: row.body,
      createdAt: row.created_at,
      createdBy: row.created_by,
    }));
  }

  inserting(template: ProvisioningTemplateRecord): Write {
    return compileWrite(query.insertInto('provisioning_templates').values(templateToRow(template)), { expectRows: 1 });
  }

  insertingVersion(tenant: Tenant, name: string, version: ProvisioningTemplateVersion): Write {
    return compileWrite(
      query.insertInto('provisioning_template_versions').values({
        tenant,
        name,
        version: version.version,
        body: version.body,
        created_at: version.createdAt,
        created_by: version.createdBy,
      }),
      { expectRows: 1 },
    );
  }

  changing(
    from: ProvisioningTemplateRecord,
    to: Pick<ProvisioningTemplateRecord, 'version' | 'rule' | 'webhook' | 'changedAt'>,
  ): Write {
    const { version, rule, webhook, changed_at } = templateToRow({ ...from, ...to });
    return compileWrite(
      query
        .updateTable('provisioning_templates')
        .set({ version, rule, webhook, changed_at })
        .where('tenant', '=', from.tenant)
        .where('name', '=', from.name)
        .where('version', '=', from.version),
      { expectRows: 1 },
    );
  }

  counting({ tenant, name, version, rule }: ProvisioningTemplateRecord): Write {
    const update = query
      .updateTable('provisioning_templates')
      .set((row) => ({ used: row('used', '+', 1) }))
      .where('tenant', '=', tenant)
      .where('name', '=', name)
      .where('version', '=', version);
    const bounded = rule?.maxDevices === undefined ? update : update.where('used', '<', rule.maxDevices);
    return compileWrite(bounded, { expectRows: 1 });
  }

  deleting(tenant: Tenant, name: string): readonly Write[] {
    return [
      compileWrite(query.deleteFrom('provisioning_templates').where('tenant', '=', tenant).where('name', '=', name), {
        expectRows: 1,
      }),
      compileWrite(
        query.deleteFrom('provisioning_template_versions').where('tenant', '=', tenant).where('name', '=', name),
      ),
    ];
  }
}

export class SqlManufacturerRepository implements ManufacturerRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, fingerprint: Fingerprint): Promise<ManufacturerRecord | undefined> {
    const row = await this.#reader.first(readManufacturer({ tenant, fingerprint }));
    return row && manufacturerFromRow(row);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<ManufacturerRecord>> {
    const rows = await this.#reader.all(readManufacturers({ tenant, after: page.after ?? '', limit: page.limit + 1 }));
    return pageOf(rows.map(manufacturerFromRow), page, ({ fingerprint }) => fingerprint);
  }

  async trusted(): Promise<readonly Uint8Array[]> {
    return (await this.#reader.all(readTrusted({ revoked: 'revoked' }))).map(({ der }) => der);
  }

  inserting(manufacturer: ManufacturerRecord): Write {
    return compileWrite(
      query.insertInto('manufacturers').values({
        tenant: manufacturer.tenant,
        fingerprint: manufacturer.fingerprint,
        state: manufacturer.state,
        registration: manufacturer.registration,
        product: manufacturer.product,
        hardware_revision: manufacturer.hardwareRevision,
        template: manufacturer.template ?? null,
        created_at: manufacturer.createdAt,
        created_by: manufacturer.createdBy,
      }),
      { expectRows: 1 },
    );
  }

  changing(from: ManufacturerRecord, state: ManufacturerState): Write {
    return compileWrite(
      query
        .updateTable('manufacturers')
        .set({ state })
        .where('tenant', '=', from.tenant)
        .where('fingerprint', '=', from.fingerprint)
        .where('state', '=', from.state),
      { expectRows: 1 },
    );
  }

  guarding(manufacturer: ManufacturerRecord): Write {
    return this.changing({ ...manufacturer, state: 'active' }, 'active');
  }
}

function templateToRow(template: ProvisioningTemplateRecord): ProvisioningTemplateTable {
  return {
    tenant: template.tenant,
    name: template.name,
    kind: template.kind,
    product: template.product,
    rule: template.rule === undefined ? null : JSON.stringify(template.rule),
    webhook: template.webhook === undefined ? null : JSON.stringify(template.webhook),
    version: template.version,
    used: template.used,
    created_at: template.createdAt,
    changed_at: template.changedAt,
  };
}

function templateFromRow(row: ProvisioningTemplateTable & { readonly body: string }): ProvisioningTemplateRecord {
  return {
    tenant: row.tenant,
    name: row.name,
    kind: row.kind as ProvisioningTemplateRecord['kind'],
    product: row.product,
    rule: row.rule === null ? undefined : (JSON.parse(row.rule) as ProvisioningTemplateRecord['rule']),
    webhook: row.webhook === null ? undefined : (JSON.parse(row.webhook) as ProvisioningTemplateRecord['webhook']),
    version: row.version,
    body: row.body,
    used: row.used,
    createdAt: row.created_at,
    changedAt: row.changed_at,
  };
}

function manufacturerFromRow(row: ManufacturerTable): ManufacturerRecord {
  return {
    tenant: row.tenant,
    fingerprint: row.fingerprint,
    state: row.state as ManufacturerRecord['state'],
    registration: row.registration as ManufacturerRecord['registration'],
    product: row.product,
    hardwareRevision: row.hardware_revision,
    template: row.template ?? undefined,
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
