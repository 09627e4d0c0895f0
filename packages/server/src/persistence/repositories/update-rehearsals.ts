import type { RehearsalRecord, RehearsalRepository, Tenant, Write } from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import { compileWrite } from '../write.ts';

const readRehearsal = defineRead((arg: ArgumentOf<{ tenant: string; releaseId: string }>) =>
  query
    .selectFrom('release_rehearsals')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('release_id', '=', arg('releaseId')),
);

export class SqlRehearsalRepository implements RehearsalRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, releaseId: string): Promise<RehearsalRecord | undefined> {
    const row = await this.#reader.first(readRehearsal({ tenant, releaseId }));
    return (
      row && {
        tenant,
        releaseId,
        subjectSha256: row.subject_sha256,
        result: row.result as RehearsalRecord['result'],
        report: row.report,
        rehearsedAt: row.rehearsed_at,
        rehearsedBy: row.rehearsed_by,
      }
    );
  }

  keeping({ tenant, releaseId, ...found }: RehearsalRecord): Write {
    const columns = {
      subject_sha256: found.subjectSha256,
      result: found.result,
      report: found.report,
      rehearsed_at: found.rehearsedAt,
      rehearsed_by: found.rehearsedBy,
    };
    return compileWrite(
      query
        .insertInto('release_rehearsals')
        .values({ tenant, release_id: releaseId, ...columns })
        .onConflict((oc) => oc.columns(['tenant', 'release_id']).doUpdateSet(columns)),
      { expectRows: 1 },
    );
  }
}
