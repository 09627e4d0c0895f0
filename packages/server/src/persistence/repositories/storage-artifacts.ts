import type { ArtifactRecord, ArtifactRepository, ArtifactState, Tenant, Write } from '@holdfast/trust/ports';
import type { Selectable } from 'kysely';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { ArtifactTable } from '../tables/storage.ts';
import { compileWrite } from '../write.ts';

const ONE = { expectRows: 1 } as const;

const readArtifact = defineRead((arg: ArgumentOf<{ tenant: string; artifactId: string }>) =>
  query
    .selectFrom('artifacts')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('artifact_id', '=', arg('artifactId')),
);

const readCheckedBefore = defineRead((arg: ArgumentOf<{ at: number; limit: number }>) =>
  query
    .selectFrom('artifacts')
    .selectAll()
    .where('state', '=', 'intact')
    .where('checked_at', '<', arg('at'))
    .orderBy('checked_at')
    .limit(arg('limit')),
);

const readWrappedBelow = defineRead((arg: ArgumentOf<{ tenant: string; keyVersion: number; limit: number }>) =>
  query
    .selectFrom('artifacts')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('key_version', '<', arg('keyVersion'))
    .limit(arg('limit')),
);

const readSize = defineRead((arg: ArgumentOf<{ artifactId: string }>) =>
  query.selectFrom('artifacts').select('size').where('artifact_id', '=', arg('artifactId')),
);

export class SqlArtifacts implements ArtifactRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, artifactId: string): Promise<ArtifactRecord | undefined> {
    const row = await this.#reader.first(readArtifact({ tenant, artifactId }));
    return row && toArtifact(row);
  }

  async exists(artifactId: string): Promise<boolean> {
    return (await this.#reader.first(readSize({ artifactId }))) !== undefined;
  }

  async checkedBefore(at: number, limit: number): Promise<readonly ArtifactRecord[]> {
    const rows = await this.#reader.all(readCheckedBefore({ at, limit }));
    return rows.map(toArtifact);
  }

  async wrappedBelow(tenant: Tenant, keyVersion: number, limit: number): Promise<readonly ArtifactRecord[]> {
    const rows = await this.#reader.all(readWrappedBelow({ tenant, keyVersion, limit }));
    return rows.map(toArtifact);
  }

  inserting({ artifactId, keyVersion, createdAt, checkedAt, ...record }: ArtifactRecord): Write {
    const row = {
      ...record,
      artifact_id: artifactId,
      key_version: keyVersion,
      created_at: createdAt,
      checked_at: checkedAt,
    };
    return compileWrite(query.insertInto('artifacts').values(row), ONE);
  }

  rewrapping({ artifactId, keyVersion: from }: ArtifactRecord, head: Uint8Array, keyVersion: number): Write {
    return compileWrite(
      query
        .updateTable('artifacts')
        .set({ head, key_version: keyVersion })
        .where('artifact_id', '=', artifactId)
        .where('key_version', '=', from),
      ONE,
    );
  }

  checking({ artifactId }: ArtifactRecord, at: number): Write {
    return compileWrite(query.updateTable('artifacts').set({ checked_at: at }).where('artifact_id', '=', artifactId));
  }

  condemning({ artifactId }: ArtifactRecord, at: number): Write {
    return compileWrite(
      query
        .updateTable('artifacts')
        .set({ state: 'corrupt', checked_at: at })
        .where('artifact_id', '=', artifactId)
        .where('state', '=', 'intact'),
      ONE,
    );
  }

  deleting(tenant: Tenant, artifactId: string): Write {
    return compileWrite(
      query.deleteFrom('artifacts').where('tenant', '=', tenant).where('artifact_id', '=', artifactId),
      ONE,
    );
  }
}

function toArtifact(row: Selectable<ArtifactTable>): ArtifactRecord {
  const { artifact_id, state, key_version, created_at, checked_at, ...rest } = row;
  return {
    ...rest,
    artifactId: artifact_id,
    state: state as ArtifactState,
    keyVersion: key_version,
    createdAt: created_at,
    checkedAt: checked_at,
  };
}
