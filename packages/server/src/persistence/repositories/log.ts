import { boundFact } from '@holdfast/trust/audit/growth';
import type { AuditFact, AuditLog, DomainEvent, Outbox, StoredEvent, Write } from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import { type AuditWrite, compileWrite, defineWrite, type EventWrite } from '../write.ts';

/** Makes events writes of a unit; the writer gives them their sequence when it commits. */
export const outbox: Outbox = {
  event(event: DomainEvent): Write {
    const write: EventWrite = { kind: 'event', event };
    return write;
  },
};

/** Makes audit facts writes of a unit; the writer gives them their sequence and leaf when it commits. */
export const auditLog: AuditLog = {
  entry(fact: AuditFact): Write {
    const write: AuditWrite = { kind: 'audit', fact: boundFact(fact) };
    return write;
  },
};

const moveCursor = defineWrite<{ consumer: string; sequence: number }>((arg) =>
  query
    .insertInto('outbox_cursors')
    .values({ consumer: arg('consumer'), sequence: arg('sequence') })
    .onConflict((oc) =>
      // Nodes share a position: what one has come to is not taken back by another.
      oc
        .column('consumer')
        .doUpdateSet({ sequence: arg('sequence') })
        .where('outbox_cursors.sequence', '<', arg('sequence')),
    ),
);

const readSince = defineRead((arg: ArgumentOf<{ sequence: number; limit: number }>) =>
  query
    .selectFrom('outbox')
    .selectAll()
    .where('sequence', '>', arg('sequence'))
    .orderBy('sequence')
    .limit(arg('limit')),
);

const readCursor = defineRead((arg: ArgumentOf<{ consumer: string }>) =>
  query.selectFrom('outbox_cursors').select('sequence').where('consumer', '=', arg('consumer')),
);

const readLast = defineRead(() => query.selectFrom('outbox').select('sequence').orderBy('sequence', 'desc').limit(1));

/** The rows behind the outbox. */
export class OutboxRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async since(sequence: number, limit: number): Promise<readonly StoredEvent[]> {
    const rows = await this.#reader.all(readSince({ sequence, limit }));
    return rows.map(({ sequence, tenant, name, subject, data, at }) => ({
      sequence,
      tenant,
      name: name as StoredEvent['name'],
      subject,
      data: JSON.parse(data) as StoredEvent['data'],
      at,
    }));
  }

  /** Sequence of the newest event; 0 when there is none. */
  async last(): Promise<number> {
    return (await this.#reader.first(readLast({})))?.sequence ?? 0;
  }

  async cursor(consumer: string): Promise<number> {
    const row = await this.#reader.first(readCursor({ consumer }));
    return row?.sequence ?? 0;
  }

  moveCursor(consumer: string, sequence: number): Write {
    return moveCursor({ consumer, sequence });
  }

  /** Drops events up to and including `sequence` that are older than `before`; the newest event always stays. */
  prune(sequence: number, before: number): Write {
    return compileWrite(query.deleteFrom('outbox').where('sequence', '<=', sequence).where('at', '<', before));
  }
}
