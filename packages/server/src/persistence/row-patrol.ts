import { type Clock, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import type { AuditLog, AuditRepository, Outbox, Store, Tenant, Write } from '@holdfast/trust/ports';
import type { Reader } from './reader.ts';
import type { AlteredRow, RowSeal, SealedKind } from './row-seal.ts';
import { query } from './schema.ts';
import type { CertificateTable, ClaimTable, DeviceTable } from './tables/identity.ts';
import { compileWrite } from './write.ts';

export interface RowPatrolPorts {
  readonly reader: Reader;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly auditRecords: Pick<AuditRepository, 'list'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly tenant: Tenant;
  /** How many rows are not as they were written; told when it changes, and 0 once a whole round found none. */
  readonly onAltered: (rows: number) => void;
}

const SEALED = 'registry.sealed';
const PAGE = 200;
/** With a page this is 4,000 rows a second: a fleet of 75,000 is looked through in a minute, for 4 % of a core. */
const PAUSE_MS = 50;
const ROUND_MS = 20_000;

interface Table<Row> {
  readonly page: (reader: Reader, tenant: Tenant, after: string) => Promise<readonly Row[]>;
  readonly idOf: (row: Row) => string;
  readonly isUnsealed: (row: Row) => boolean;
  readonly holds: (seal: RowSeal, row: Row) => boolean;
  readonly sealing: (seal: RowSeal, row: Row) => Write;
}

const DEVICES: Table<DeviceTable> = {
  page: (reader, tenant, after) =>
    reader.all(
      query
        .selectFrom('devices')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('device_id', '>', after)
        .orderBy('device_id')
        .limit(PAGE),
    ),
  idOf: ({ device_id }) => device_id,
  isUnsealed: ({ mac }) => mac === null,
  holds: (seal, row) => seal.holds('device', row),
  sealing: (seal, row) =>
    compileWrite(
      query
        .updateTable('devices')
        .set({ mac: seal.seal('device', row) })
        .where('tenant', '=', row.tenant)
        .where('device_id', '=', row.device_id)
        .where('revision', '=', row.revision)
        .where('mac', 'is', null),
    ),
};

const CERTIFICATES: Table<CertificateTable> = {
  page: (reader, tenant, after) =>
    reader.all(
      query
        .selectFrom('certificates')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('fingerprint', '>', after)
        .orderBy('fingerprint')
        .limit(PAGE),
    ),
  idOf: ({ fingerprint }) => fingerprint,
  isUnsealed: ({ mac }) => mac === null,
  holds: (seal, row) => seal.holds('certificate', row),
  sealing: (seal, row) =>
    compileWrite(
      query
        .updateTable('certificates')
        .set({ mac: seal.seal('certificate', row) })
        .where('fingerprint', '=', row.fingerprint)
        .where('state', '=', row.state)
        .where('mac', 'is', null),
    ),
};

const CLAIMS: Table<ClaimTable> = {
  page: (reader, tenant, after) =>
    reader.all(
      query
        .selectFrom('claims')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('claim_id', '>', after)
        .orderBy('claim_id')
        .limit(PAGE),
    ),
  idOf: ({ claim_id }) => claim_id,
  isUnsealed: ({ mac }) => mac === null,
  holds: (seal, row) => seal.holds('claim', row),
  sealing: (seal, row) =>
    compileWrite(
      query
        .updateTable('claims')
        .set({ mac: seal.seal('claim', row) })
        .where('tenant', '=', row.tenant)
        .where('claim_id', '=', row.claim_id)
        .where('state', '=', row.state)
        .where('mac', 'is', null),
    ),
};

/** The event that cuts whoever an altered row is about. */
const CUTS = {
  device: 'device.quarantined',
  certificate: 'certificate.revoked',
  claim: 'claim.revoked',
} as const satisfies Record<SealedKind, string>;

/**
 * Looks at the rows that decide whether somebody is let in, so that one that was changed in the database is found
 * before its device connects; says so once, and cuts what it has open.
 */
export class RowPatrol {
  readonly #ports: RowPatrolPorts;
  readonly #known = new Set<string>();
  #found = 0;
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #closed = false;

  constructor(ports: RowPatrolPorts) {
    this.#ports = ports;
  }

  /**
   * Seals what an earlier version wrote, once in the life of a store. The log keeps that it was done: rows that lost
   * their codes later are altered ones.
   */
  async sealOnce(seal: RowSeal): Promise<void> {
    const { auditRecords, store, audit, tenant } = this.#ports;
    const done = await auditRecords.list(tenant, { action: SEALED }, { limit: 1 });
    if (done.rows.length > 0) return;
    const rows =
      (await this.#sealAll(seal, DEVICES)) +
      (await this.#sealAll(seal, CERTIFICATES)) +
      (await this.#sealAll(seal, CLAIMS));
    await store.commit([
      audit.entry({ tenant, actor: 'system', action: SEALED, subject: 'registry', details: { rows } }),
    ]);
  }

  start(seal: RowSeal): void {
    this.#timer = this.#ports.clock.every(ROUND_MS, () => {
      this.#round ??= this.round(seal).finally(() => {
        this.#round = undefined;
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#round;
  }

  /** Looks at every row once. */
  async round(seal: RowSeal): Promise<void> {
    try {
      const altered =
        (await this.#look(seal, DEVICES)) + (await this.#look(seal, CERTIFICATES)) + (await this.#look(seal, CLAIMS));
      if (this.#closed) return;
      if (altered === 0) this.#known.clear();
      this.#tell(altered);
    } catch (error) {
      this.#ports.log.warn('the registry could not be looked through', { code: toHoldfastError(error).code });
    }
  }

  /** Somebody read a row that is not as it was written. */
  readonly report = (row: AlteredRow): void => {
    const name = `${row.kind} ${row.id}`;
    if (this.#known.has(name)) return;
    this.#known.add(name);
    this.#tell(Math.max(this.#found, this.#known.size));
    void this.#write(row);
  };

  async #write({ kind, tenant, id }: AlteredRow): Promise<void> {
    const { store, audit, outbox, log } = this.#ports;
    log.error('a row of the registry was changed outside Holdfast', { kind, id });
    try {
      await store.commit([
        audit.entry({ tenant, actor: 'system', action: 'registry.row_altered', subject: id, details: { kind } }),
        outbox.event({ tenant, name: CUTS[kind], subject: id, data: { reason: 'registry.row_altered' } }),
      ]);
    } catch (error) {
      log.warn('an altered row could not be written down', { code: toHoldfastError(error).code });
      this.#known.delete(`${kind} ${id}`);
    }
  }

  #tell(rows: number): void {
    if (rows === this.#found) return;
    this.#found = rows;
    this.#ports.onAltered(rows);
  }

  async #look<Row>(seal: RowSeal, table: Table<Row>): Promise<number> {
    let altered = 0;
    await this.#eachPage(table, (rows) => {
      altered += rows.filter((row) => !table.holds(seal, row)).length;
      return this.#pause();
    });
    return altered;
  }

  async #sealAll<Row>(seal: RowSeal, table: Table<Row>): Promise<number> {
    let sealed = 0;
    await this.#eachPage(table, async (rows) => {
      const open = rows.filter((row) => table.isUnsealed(row));
      sealed += open.length;
      if (open.length > 0) await this.#ports.store.commit(open.map((row) => table.sealing(seal, row)));
    });
    return sealed;
  }

  async #eachPage<Row>(table: Table<Row>, work: (rows: readonly Row[]) => Promise<void>): Promise<void> {
    const { reader, tenant } = this.#ports;
    let after = '';
    while (!this.#closed) {
      const rows = await table.page(reader, tenant, after);
      const last = rows.at(-1);
      if (last === undefined) return;
      await work(rows);
      if (rows.length < PAGE) return;
      after = table.idOf(last);
    }
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ports.clock.after(PAUSE_MS, resolve);
    return promise;
  }
}
