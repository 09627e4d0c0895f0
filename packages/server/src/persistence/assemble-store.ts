import type { Clock, Log } from '@holdfast/kernel';
import type { AuditLog, Outbox } from '@holdfast/trust/ports';
import { BatchStore } from './batch-store.ts';
import { EventDelivery, type Wake } from './event-delivery.ts';
import type { Reader } from './reader.ts';
import { auditLog, OutboxRepository, outbox } from './repositories/log.ts';
import type { Writer } from './writer.ts';

/** An open store with all that repositories and services need of it. */
export interface OpenStore {
  readonly store: BatchStore;
  readonly reader: Reader;
  readonly outbox: Outbox;
  readonly audit: AuditLog;
  readonly events: EventDelivery;
  /** Entries of the audit log when the store was opened. */
  readonly auditSize: number;
  /** Ends delivery, commits what waits, lets go of the database; a second call does nothing. */
  close(): Promise<void>;
}

export interface StoreParts {
  readonly writer: Writer;
  readonly reader: Reader;
  readonly clock: Clock;
  readonly log: Log;
  /** Where others write too: tells that they may have. */
  readonly wake?: Wake;
  /** Ends the reader, before the writer ends. */
  readonly closeReader: () => Promise<void>;
}

/** What is the same whatever holds the rows. */
export function assembleStore({ writer, reader, clock, log, wake, closeReader }: StoreParts): OpenStore {
  const store = new BatchStore(writer, clock);
  const repository = new OutboxRepository(reader);
  const events = new EventDelivery({ repository, store, clock, log, wake }, writer.opened.lastEvent);
  store.onCommit(({ lastEvent }) => events.committed(lastEvent));
  return {
    store,
    reader,
    outbox,
    audit: auditLog,
    events,
    auditSize: writer.opened.auditSize,
    close: once(async () => {
      await events.close();
      await store.close();
      await closeReader();
      await writer.close();
    }),
  };
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= action());
}
