import type { AuditFilter, AuditRepository, Page, PageRequest, StoredAuditEntry, Tenant } from '@holdfast/trust/ports';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';

/** Reads the audit log; only the writer adds to it. */
export class SqlAuditLog implements AuditRepository {
  readonly #reader: Reader;
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async list(tenant: Tenant, filter: AuditFilter, page: PageRequest): Promise<Page<StoredAuditEntry>> {
    let wanted = query.selectFrom('audit_entries').selectAll().where('tenant', '=', tenant);
    if (filter.subject !== undefined) wanted = wanted.where('subject', '=', filter.subject);
    if (filter.action !== undefined) wanted = wanted.where('action', '=', filter.action);
    if (page.after !== undefined) wanted = wanted.where('sequence', '<', Number(page.after));
    const rows = await this.#reader.all(wanted.orderBy('sequence', 'desc').limit(page.limit));
    return { rows, next: rows.length === page.limit ? String(rows.at(-1)?.sequence) : undefined };
  }

  async from(sequence: number, limit: number): Promise<readonly StoredAuditEntry[]> {
    return this.#reader.all(
      query.selectFrom('audit_entries').selectAll().where('sequence', '>=', sequence).orderBy('sequence').limit(limit),
    );
  }

  async find(sequence: number): Promise<StoredAuditEntry | undefined> {
    return this.#reader.first(query.selectFrom('audit_entries').selectAll().where('sequence', '=', sequence));
  }

  async size(): Promise<number> {
    const last = query.selectFrom('audit_entries').select('sequence').orderBy('sequence', 'desc').limit(1);
    return ((await this.#reader.first(last))?.sequence ?? -1) + 1;
  }

  async hashes(level: number, start: number, end: number): Promise<readonly Uint8Array[]> {
    const leaves = query
      .selectFrom('audit_entries')
      .select('leaf as hash')
      .where('sequence', '>=', start)
      .where('sequence', '<', end)
      .orderBy('sequence');
    const tiles = query
      .selectFrom('audit_tiles')
      .select('hash')
      .where('level', '=', level)
      .where('position', '>=', start)
      .where('position', '<', end)
      .orderBy('position');
    return (await this.#reader.all(level === 0 ? leaves : tiles)).map(({ hash }) => hash);
  }
}
