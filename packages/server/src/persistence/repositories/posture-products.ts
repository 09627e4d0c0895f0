import type {
  Page,
  PageRequest,
  ProductChange,
  ProductRecord,
  ProductRepository,
  ReferenceValue,
  ReferenceValueRepository,
  Sha256Hex,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { ProductTable, ReferenceValueTable } from '../tables/posture.ts';
import { compileWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';

const readProduct = defineRead((arg: ArgumentOf<{ tenant: string; name: string }>) =>
  query.selectFrom('products').selectAll().where('tenant', '=', arg('tenant')).where('name', '=', arg('name')),
);

const readPage = defineRead((arg: ArgumentOf<{ tenant: string; after: string; limit: number }>) =>
  query
    .selectFrom('products')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('name', '>', arg('after'))
    .orderBy('name')
    .limit(arg('limit')),
);

const readValue = defineRead((arg: ArgumentOf<{ tenant: string; product: string; digest: string }>) =>
  query
    .selectFrom('reference_values')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('product', '=', arg('product'))
    .where('digest', '=', arg('digest')),
);

const readHighestCounter = defineRead((arg: ArgumentOf<{ tenant: string; product: string }>) =>
  query
    .selectFrom('reference_values')
    .select((each) => each.fn.max('counter').as('highest'))
    .where('tenant', '=', arg('tenant'))
    .where('product', '=', arg('product')),
);

const readValues = defineRead((arg: ArgumentOf<{ tenant: string; product: string; limit: number }>) =>
  query
    .selectFrom('reference_values')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('product', '=', arg('product'))
    .orderBy('recorded_at', 'desc')
    .orderBy('digest')
    .limit(arg('limit')),
);

export class SqlProductRepository implements ProductRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, name: string): Promise<ProductRecord | undefined> {
    const row = await this.#reader.first(readProduct({ tenant, name }));
    return row && productFromRow(row);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<ProductRecord>> {
    const rows = await this.#reader.all(readPage({ tenant, after: page.after ?? '', limit: page.limit + 1 }));
    return pageOf(rows.map(productFromRow), page, ({ name }) => name);
  }

  inserting(product: ProductRecord): Write {
    return compileWrite(query.insertInto('products').values(productToRow(product)), { expectRows: 1 });
  }

  changing(from: ProductRecord, change: ProductChange): Write {
    const row = productToRow({ ...from, ...change, revision: from.revision + 1 });
    const { tenant: _tenant, name: _name, created_at: _createdAt, ...columns } = row;
    return compileWrite(
      query
        .updateTable('products')
        .set(columns)
        .where('tenant', '=', from.tenant)
        .where('name', '=', from.name)
        .where('revision', '=', from.revision),
      { expectRows: 1 },
    );
  }
}

export class SqlReferenceValueRepository implements ReferenceValueRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, product: string, digest: Sha256Hex): Promise<ReferenceValue | undefined> {
    const row = await this.#reader.first(readValue({ tenant, product, digest }));
    return row && valueFromRow(row);
  }

  async highestCounter(tenant: Tenant, product: string): Promise<number | undefined> {
    const row = await this.#reader.first(readHighestCounter({ tenant, product }));
    // MAX over no row is one row of NULL.
    const highest: number | null | undefined = row?.highest;
    return highest ?? undefined;
  }

  async list(tenant: Tenant, product: string, limit: number): Promise<readonly ReferenceValue[]> {
    const rows = await this.#reader.all(readValues({ tenant, product, limit }));
    return rows.map(valueFromRow);
  }

  recording(value: ReferenceValue): Write {
    return compileWrite(
      query
        .insertInto('reference_values')
        .values({
          tenant: value.tenant,
          product: value.product,
          digest: value.digest,
          hardware_revision: value.hardwareRevision,
          version: value.version,
          counter: value.counter,
          release_id: value.releaseId ?? null,
          recorded_at: value.recordedAt,
        })
        .onConflict((oc) => oc.columns(['tenant', 'product', 'digest']).doNothing()),
    );
  }
}

function productToRow(product: ProductRecord): ProductTable {
  return {
    tenant: product.tenant,
    name: product.name,
    hardware_revisions: JSON.stringify(product.hardwareRevisions),
    evidence: product.evidence,
    minimum_version: product.minimumVersion ?? null,
    minimum_counter: product.minimumCounter,
    image_key_id: product.imageKeyId ?? null,
    boot: JSON.stringify(product.boot),
    policies: JSON.stringify(product.policies),
    restricted_policies: JSON.stringify(product.restrictedPolicies),
    device_configuration: JSON.stringify(product.deviceConfiguration),
    certificate_days: product.certificateDays,
    enrollment: JSON.stringify(product.enrollment),
    created_at: product.createdAt,
    revision: product.revision,
  };
}

function productFromRow(row: ProductTable): ProductRecord {
  return {
    tenant: row.tenant,
    name: row.name,
    hardwareRevisions: JSON.parse(row.hardware_revisions) as ProductRecord['hardwareRevisions'],
    evidence: row.evidence as ProductRecord['evidence'],
    minimumVersion: row.minimum_version ?? undefined,
    minimumCounter: row.minimum_counter,
    imageKeyId: row.image_key_id ?? undefined,
    boot: JSON.parse(row.boot) as ProductRecord['boot'],
    policies: JSON.parse(row.policies) as ProductRecord['policies'],
    restrictedPolicies: JSON.parse(row.restricted_policies) as ProductRecord['restrictedPolicies'],
    deviceConfiguration: JSON.parse(row.device_configuration) as ProductRecord['deviceConfiguration'],
    certificateDays: row.certificate_days,
    enrollment: JSON.parse(row.enrollment) as ProductRecord['enrollment'],
    createdAt: row.created_at,
    revision: row.revision,
  };
}

function valueFromRow(row: ReferenceValueTable): ReferenceValue {
  return {
    tenant: row.tenant,
    product: row.product,
    digest: row.digest,
    hardwareRevision: row.hardware_revision,
    version: row.version,
    counter: row.counter,
    releaseId: row.release_id ?? undefined,
    recordedAt: row.recorded_at,
  };
}
