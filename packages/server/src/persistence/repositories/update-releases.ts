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
import type { ArgumentOf } from '../compiled.ts';
import { defineRead, defineShapedRead, type Has } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { ReleaseTable } from '../tables/update.ts';
import { compileWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';
import { type PositionArgs, parsePosition, positionOf } from './update-position.ts';

const readRelease = defineRead((arg: ArgumentOf<{ tenant: string; releaseId: string }>) =>
  query
    .selectFrom('releases')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('release_id', '=', arg('releaseId')),
);

const readByVersion = defineRead(
  (arg: ArgumentOf<{ tenant: string; product: string; hardwareRevision: string; version: string }>) =>
    query
      .selectFrom('releases')
      .selectAll()
      .where('tenant', '=', arg('tenant'))
      .where('product', '=', arg('product'))
      .where('hardware_revision', '=', arg('hardwareRevision'))
      .where('version', '=', arg('version')),
);

const readHighestCounter = defineRead(
  (arg: ArgumentOf<{ tenant: string; product: string; hardwareRevision: string }>) =>
    query
      .selectFrom('releases')
      .select((e) => e.fn.max('counter').as('highest'))
      .where('tenant', '=', arg('tenant'))
      .where('product', '=', arg('product'))
      .where('hardware_revision', '=', arg('hardwareRevision'))
      .where('state', '=', 'published'),
);

const readHighestSequence = defineRead((arg: ArgumentOf<{ tenant: string; product: string }>) =>
  query
    .selectFrom('releases')
    .select((e) => e.fn.max('sequence').as('highest'))
    .where('tenant', '=', arg('tenant'))
    .where('product', '=', arg('product')),
);

const readOfArtifact = defineRead((arg: ArgumentOf<{ artifactId: string }>) =>
  query.selectFrom('releases').selectAll().where('artifact_id', '=', arg('artifactId')),
);

const readNewestRoot = defineRead((arg: ArgumentOf<{ tenant: string }>) =>
  query.selectFrom('release_roots').selectAll().where('tenant', '=', arg('tenant')).orderBy('version', 'desc').limit(1),
);

const readPage = defineShapedRead((arg: ArgumentOf<PositionArgs>, has: Has<PositionArgs>) => {
  let select = query.selectFrom('releases').selectAll().where('tenant', '=', arg('tenant'));
  if (has('at')) {
    select = select.where((e) =>
      e.or([
        e('created_at', '<', arg('at')),
        e.and([e('created_at', '=', arg('at')), e('release_id', '<', arg('id'))]),
      ]),
    );
  }
  return select.orderBy('created_at', 'desc').orderBy('release_id', 'desc').limit(arg('limit'));
});

export class SqlReleaseRepository implements ReleaseRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, releaseId: string): Promise<ReleaseRecord | undefined> {
    const row = await this.#reader.first(readRelease({ tenant, releaseId }));
    return row && fromRow(row);
  }

  async findByVersion(
    tenant: Tenant,
    product: string,
    hardwareRevision: string,
    version: string,
  ): Promise<ReleaseRecord | undefined> {
    const row = await this.#reader.first(readByVersion({ tenant, product, hardwareRevision, version }));
    return row && fromRow(row);
  }

  async highestCounter(tenant: Tenant, product: string, hardwareRevision: string): Promise<number | undefined> {
    const row = await this.#reader.first(readHighestCounter({ tenant, product, hardwareRevision }));
    const highest = row?.highest as number | null | undefined;
    return highest ?? undefined;
  }

  async highestSequence(tenant: Tenant, product: string): Promise<number> {
    const row = await this.#reader.first(readHighestSequence({ tenant, product }));
    const highest = row?.highest as number | null | undefined;
    return highest ?? 0;
  }

  async ofArtifact(artifactId: string): Promise<readonly ReleaseRecord[]> {
    const rows = await this.#reader.all(readOfArtifact({ artifactId }));
    return rows.map(fromRow);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<ReleaseRecord>> {
    const position = page.after === undefined ? undefined : parsePosition(page.after);
    const rows = await this.#reader.all(readPage({ ...position, tenant, limit: page.limit + 1 }));
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
    const row = await this.#reader.first(readNewestRoot({ tenant }));
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
