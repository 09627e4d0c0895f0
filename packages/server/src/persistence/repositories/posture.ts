import type {
  AcceptedEvidence,
  AttestationNonce,
  AttestationNonceRepository,
  DeviceId,
  Page,
  PageRequest,
  PostureChange,
  PostureRecord,
  PostureRepositories,
  PostureRepository,
  Sha256Hex,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { PostureTable } from '../tables/posture.ts';
import { compileWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';
import { SqlProductRepository, SqlReferenceValueRepository } from './posture-products.ts';

const readPosture = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string }>) =>
  query.selectFrom('postures').selectAll().where('tenant', '=', arg('tenant')).where('device_id', '=', arg('deviceId')),
);

const readOfProduct = defineRead((arg: ArgumentOf<{ tenant: string; product: string; after: string; limit: number }>) =>
  query
    .selectFrom('devices')
    .innerJoin('postures', (join) =>
      join.onRef('postures.tenant', '=', 'devices.tenant').onRef('postures.device_id', '=', 'devices.device_id'),
    )
    .selectAll('postures')
    .where('devices.tenant', '=', arg('tenant'))
    .where('devices.product', '=', arg('product'))
    .where('devices.device_id', '>', arg('after'))
    .orderBy('devices.device_id')
    .limit(arg('limit')),
);

const readNonce = defineRead((arg: ArgumentOf<{ nonceSha256: string }>) =>
  query.selectFrom('attestation_nonces').selectAll().where('nonce_sha256', '=', arg('nonceSha256')),
);

const readNonces = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string }>) =>
  query
    .selectFrom('attestation_nonces')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('device_id', '=', arg('deviceId'))
    .orderBy('expires_at'),
);

class SqlPostureRepository implements PostureRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, deviceId: DeviceId): Promise<PostureRecord | undefined> {
    const row = await this.#reader.first(readPosture({ tenant, deviceId }));
    return row && fromRow(row);
  }

  async listOfProduct(tenant: Tenant, product: string, page: PageRequest): Promise<Page<PostureRecord>> {
    const rows = await this.#reader.all(
      readOfProduct({ tenant, product, after: page.after ?? '', limit: page.limit + 1 }),
    );
    return pageOf(rows.map(fromRow), page, ({ deviceId }) => deviceId);
  }

  inserting(record: PostureRecord): Write {
    return compileWrite(query.insertInto('postures').values(toRow(record)), { expectRows: 1 });
  }

  changing(from: PostureRecord, change: PostureChange): Write {
    const { posture, reasons, since, evidence, revision } = toRow({ ...from, ...change, revision: from.revision + 1 });
    return compileWrite(
      query
        .updateTable('postures')
        .set({ posture, reasons, since, evidence, revision })
        .where('tenant', '=', from.tenant)
        .where('device_id', '=', from.deviceId)
        .where('revision', '=', from.revision),
      { expectRows: 1 },
    );
  }
}

class SqlAttestationNonceRepository implements AttestationNonceRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(nonceSha256: Sha256Hex): Promise<AttestationNonce | undefined> {
    const row = await this.#reader.first(readNonce({ nonceSha256 }));
    return row && { nonceSha256, tenant: row.tenant, deviceId: row.device_id, expiresAt: row.expires_at };
  }

  async ofDevice(tenant: Tenant, deviceId: DeviceId): Promise<readonly AttestationNonce[]> {
    const rows = await this.#reader.all(readNonces({ tenant, deviceId }));
    return rows.map((row) => ({ nonceSha256: row.nonce_sha256, tenant, deviceId, expiresAt: row.expires_at }));
  }

  inserting({ nonceSha256, tenant, deviceId, expiresAt }: AttestationNonce): Write {
    return compileWrite(
      query
        .insertInto('attestation_nonces')
        .values({ nonce_sha256: nonceSha256, tenant, device_id: deviceId, expires_at: expiresAt }),
      { expectRows: 1 },
    );
  }

  consuming(nonceSha256: Sha256Hex): Write {
    return compileWrite(query.deleteFrom('attestation_nonces').where('nonce_sha256', '=', nonceSha256), {
      expectRows: 1,
    });
  }

  dropping(nonceSha256: Sha256Hex): Write {
    return compileWrite(query.deleteFrom('attestation_nonces').where('nonce_sha256', '=', nonceSha256));
  }
}

export function postureRepositories(reader: Reader): PostureRepositories {
  return {
    postures: new SqlPostureRepository(reader),
    nonces: new SqlAttestationNonceRepository(reader),
    products: new SqlProductRepository(reader),
    referenceValues: new SqlReferenceValueRepository(reader),
  };
}

function toRow(record: PostureRecord): PostureTable {
  return {
    tenant: record.tenant,
    device_id: record.deviceId,
    posture: record.posture,
    reasons: JSON.stringify(record.reasons),
    since: record.since,
    evidence: record.evidence === undefined ? null : JSON.stringify(record.evidence),
    revision: record.revision,
  };
}

function fromRow(row: PostureTable): PostureRecord {
  return {
    tenant: row.tenant,
    deviceId: row.device_id,
    posture: row.posture as PostureRecord['posture'],
    reasons: JSON.parse(row.reasons) as PostureRecord['reasons'],
    since: row.since,
    evidence: row.evidence === null ? undefined : (JSON.parse(row.evidence) as AcceptedEvidence),
    revision: row.revision,
  };
}
