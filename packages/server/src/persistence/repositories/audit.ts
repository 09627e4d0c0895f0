import type { AuditFilter, AuditRepository, Page, PageRequest, StoredAuditEntry, Tenant } from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead, defineShapedRead, type Has } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';

const readFrom = defineRead((arg: ArgumentOf<{ sequence: number; limit: number }>) =>
  query
    .selectFrom('audit_entries')
    .selectAll()
    .where('sequence', '>=', arg('sequence'))
    .orderBy('sequence')
    .limit(arg('limit')),
);

const readEntry = defineRead((arg: ArgumentOf<{ sequence: number }>) =>
  query.selectFrom('audit_entries').selectAll().where('sequence', '=', arg('sequence')),
);

interface PageArgs extends AuditFilter {
  readonly tenant: string;
  readonly before: number | undefined;
  readonly limit: number;
}

const readPage = defineShapedRead((arg: ArgumentOf<PageArgs>, has: Has<PageArgs>) => {
  let select = query.selectFrom('audit_entries').selectAll().where('tenant', '=', arg('tenant'));
  if (has('subject')) select = select.where('subject', '=', arg('subject'));
  if (has('action')) select = select.where('action', '=', arg('action'));
  if (has('before')) select = select.where('sequence', '<', arg('before'));
  return select.orderBy('sequence', 'desc').limit(arg('limit'));
});

const readLast = defineRead(() =>
  query.selectFrom('audit_entries').select('sequence').orderBy('sequence', 'desc').limit(1),
);

const readLeaves = defineRead((arg: ArgumentOf<{ start: number; end: number }>) =>
  query
    .selectFrom('audit_entries')
    .select('leaf as hash')
    .where('sequence', '>=', arg('start'))
    .where('sequence', '<', arg('end'))
    .orderBy('sequence'),
);

const readTiles = defineRead((arg: ArgumentOf<{ level: number; start: number; end: number }>) =>
  query
    .selectFrom('audit_tiles')
    .select('hash')
    .where('level', '=', arg('level'))
    .where('position', '>=', arg('start'))
    .where('position', '<', arg('end'))
    .orderBy('position'),
);

/** Reads the audit log; only the writer adds to it. */
export class SqlAuditLog implements AuditRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async list(tenant: Tenant, filter: AuditFilter, page: PageRequest): Promise<Page<StoredAuditEntry>> {
    const before = page.after === undefined ? undefined : Number(page.after);
    const rows = await this.#reader.all(readPage({ ...filter, tenant, before, limit: page.limit }));
    return { rows, next: rows.length === page.limit ? String(rows.at(-1)?.sequence) : undefined };
  }

  async from(sequence: number, limit: number): Promise<readonly StoredAuditEntry[]> {
    return this.#reader.all(readFrom({ sequence, limit }));
  }

  async find(sequence: number): Promise<StoredAuditEntry | undefined> {
    return this.#reader.first(readEntry({ sequence }));
  }

  async size(): Promise<number> {
    return ((await this.#reader.first(readLast({})))?.sequence ?? -1) + 1;
  }

  async hashes(level: number, start: number, end: number): Promise<readonly Uint8Array[]> {
    const span = { start, end };
    const rows = await this.#reader.all(level === 0 ? readLeaves(span) : readTiles({ ...span, level }));
    return rows.map(({ hash }) => hash);
  }
}
