import type {
  Page,
  PageRequest,
  ReleaseRecord,
  ReleaseRepository,
  ReleaseRootRecord,
  ReleaseRootRepository,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { ReleaseTable } from '../tables/update.ts';
import { compileWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';
import { parsePosition, positionOf } from './update-position.ts';

export class SqlReleaseRepository implements ReleaseRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, releaseId: string): Promise<ReleaseRecord | undefined> {
    const row = await this.#reader.first(
      query.selectFrom('releases').selectAll().where('tenant', '=', tenant).where('release_id', '=', releaseId),
    );
    return row && fromRow(row);
  }

  async findByVersion(
    tenant: Tenant,
    product: string,
    hardwareRevision: string,
    version: string,
  ): Promise<ReleaseRecord | undefined> {
    const row = await this.#reader.first(
      query
        .selectFrom('releases')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('product', '=', product)
        .where('hardware_revision', '=', hardwareRevision)
        .where('version', '=', version),
    );
    return row && fromRow(row);
  }

  async highestCounter(tenant: Tenant, product: string, hardwareRevision: string): Promise<number | undefined> {
    const row = await this.#reader.first(
      query
        .selectFrom('releases')
        .select((e) => e.fn.max('counter').as('highest'))
        .where('tenant', '=', tenant)
        .where('product', '=', product)
        .where('hardware_revision', '=', hardwareRevision)
        .where('state', '=', 'published'),
    );
    const highest = row?.highest as number | null | undefined;
    return highest ?? undefined;
  }

  async highestSequence(tenant: Tenant, product: string): Promise<number> {
    const row = await this.#reader.first(
      query
        .selectFrom('releases')
        .select((e) => e.fn.max('sequence').as('highest'))
        .where('tenant', '=', tenant)
        .where('product', '=', product),
    );
    const highest = row?.highest as number | null | undefined;
    return highest ?? 0;
  }

  async ofArtifact(artifactId: string): Promise<readonly ReleaseRecord[]> {
    const rows = await this.#reader.all(query.selectFrom('releases').selectAll().where('artifact_id', '=', artifactId));
    return rows.map(fromRow);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<ReleaseRecord>> {
    let select = query.selectFrom('releases').selectAll().where('tenant', '=', tenant);
    if (page.after !== undefined) {
      const { at, id } = parsePosition(page.after);
      select = select.where((e) =>
        e.or([e('created_at', '<', at), e.and([e('created_at', '=', at), e('release_id', '<', id)])]),
      );
    }
    const rows = await this.#reader.all(
      select
        .orderBy('created_at', 'desc')
        .orderBy('release_id', 'desc')
        .limit(page.limit + 1),
    );
    return pageOf(rows.map(fromRow), page, ({ createdAt, releaseId }) => positionOf(createdAt, releaseId));
  }

  inserting(release: ReleaseRecord): Write {
    return compileWrite(query.insertInto('releases').values(toRow(release)), { expectRows: 1 });
  }

  cancelling(tenant: Tenant, releaseId: string): Write {
    return compileWrite(
      query
        .updateTable('releases')
        .set({ state: 'cancelled' })
        .where('tenant', '=', tenant)
        .where('release_id', '=', releaseId)
        .where('state', '=', 'published'),
      { expectRows: 1 },
    );
  }
}

export class SqlReleaseRootRepository implements ReleaseRootRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async newest(tenant: Tenant): Promise<ReleaseRootRecord | undefined> {
    const row = await this.#reader.first(
      query.selectFrom('release_roots').selectAll().where('tenant', '=', tenant).orderBy('version', 'desc').limit(1),
    );
    return (
      row && {
        tenant,
        version: row.version,
        document: row.document,
        localKeyIds: JSON.parse(row.local_key_ids) as readonly string[],
        createdAt: row.created_at,
      }
    );
  }

  inserting({ tenant, version, document, localKeyIds, createdAt }: ReleaseRootRecord): Write {
    return compileWrite(
      query.insertInto('release_roots').values({
        tenant,
        version,
        document,
        local_key_ids: JSON.stringify(localKeyIds),
        created_at: createdAt,
      }),
      { expectRows: 1 },
    );
  }
}

function toRow(release: ReleaseRecord): ReleaseTable {
  return {
    tenant: release.tenant,
    release_id: release.releaseId,
    product: release.product,
    hardware_revision: release.hardwareRevision,
    version: release.version,
    counter: release.counter,
    sequence: release.sequence,
    state: release.state,
    artifact_id: release.artifactId,
    image_sha256: release.imageSha256,
    image_length: release.imageLength,
    measurement: release.measurement,
    stream_id: release.streamId,
    manifest: release.manifest,
    signatures: release.signatures,
    threshold: release.threshold,
    file_signature: release.fileSignature,
    created_at: release.createdAt,
    created_by: release.createdBy,
  };
}

function fromRow(row: ReleaseTable): ReleaseRecord {
  return {
    tenant: row.tenant,
    releaseId: row.release_id,
    product: row.product,
    hardwareRevision: row.hardware_revision,
    version: row.version,
    counter: row.counter,
    sequence: row.sequence,
    state: row.state as ReleaseRecord['state'],
    artifactId: row.artifact_id,
    imageSha256: row.image_sha256,
    imageLength: row.image_length,
    measurement: row.measurement,
    streamId: row.stream_id,
    manifest: row.manifest,
    signatures: row.signatures,
    threshold: row.threshold,
    fileSignature: row.file_signature,
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
