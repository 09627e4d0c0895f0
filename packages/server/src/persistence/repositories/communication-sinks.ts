import { type Clock, decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import type { Page, PageRequest, SealedRecord, SealedRepository, Store, Tenant } from '@holdfast/trust/ports';
import type { DeadLetter, SinkRecords } from '../../engines/sinks/sink-records.ts';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { SinkDeadLetterTable } from '../tables/communication.ts';
import { compileWrite, defineWrite } from '../write.ts';
import type { PlaceSealer } from './communication-keys.ts';
import { pageOf } from './keyset-page.ts';

export interface SqlSinkRecordsPorts {
  readonly tenant: Tenant;
  readonly reader: Reader;
  readonly store: Store;
  readonly fields: PlaceSealer;
  readonly sealedRecords: Pick<SealedRepository, 'find' | 'inserting' | 'deletingAll'>;
  readonly clock: Clock;
}

const KIND = 'dead-letter';
/** Of one sink; the oldest give way. */
const MAX_DEAD_LETTERS = 10_000;

const readPosition = defineRead((arg: ArgumentOf<{ spool: string; sink: string }>) =>
  query
    .selectFrom('sink_positions')
    .select('position')
    .where('spool', '=', arg('spool'))
    .where('sink', '=', arg('sink')),
);

const readLetters = defineRead((arg: ArgumentOf<{ tenant: string; sink: string; after: string; limit: number }>) =>
  query
    .selectFrom('sink_dead_letters')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('sink', '=', arg('sink'))
    .where('message_id', '>', arg('after'))
    .orderBy('message_id')
    .limit(arg('limit')),
);

const readCount = defineRead((arg: ArgumentOf<{ tenant: string; sink: string }>) =>
  query
    .selectFrom('sink_dead_letters')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('tenant', '=', arg('tenant'))
    .where('sink', '=', arg('sink')),
);

const savePosition = defineWrite<{ spool: string; sink: string; tenant: string; position: number; savedAt: number }>(
  (arg) =>
    query
      .insertInto('sink_positions')
      .values({
        spool: arg('spool'),
        sink: arg('sink'),
        tenant: arg('tenant'),
        position: arg('position'),
        saved_at: arg('savedAt'),
      })
      .onConflict((oc) =>
        oc.columns(['spool', 'sink']).doUpdateSet({ position: arg('position'), saved_at: arg('savedAt') }),
      ),
);

/** Positions of sinks, and the messages they could not deliver. */
export class SqlSinkRecords implements SinkRecords {
  readonly #ports: SqlSinkRecordsPorts;

  constructor(ports: SqlSinkRecordsPorts) {
    this.#ports = ports;
  }

  async position(spool: string, sink: string): Promise<number | undefined> {
    return (await this.#ports.reader.first(readPosition({ spool, sink })))?.position;
  }

  async savePositions(spool: string, positions: ReadonlyMap<string, number>): Promise<void> {
    const { clock, store, tenant } = this.#ports;
    const savedAt = clock.now();
    await store.commit(
      [...positions].map(([sink, position]) => savePosition({ spool, sink, tenant, position, savedAt })),
    );
  }

  async bury(sink: string, letter: DeadLetter, json: string): Promise<void> {
    const { clock, fields, sealedRecords, store, tenant } = this.#ports;
    const place = this.#placeOf(sink, letter.id);
    const sealing = await fields.seal(place, encodeUtf8(json));
    const insert = compileWrite(query.insertInto('sink_dead_letters').values(toRow(tenant, sink, letter)), {
      expectRows: 1,
    });
    try {
      await store.commit([insert, sealedRecords.inserting({ ...place, ...sealing, createdAt: clock.now() })]);
    } catch (error) {
      // Buried already, and its position was not kept.
      if (!HoldfastError.is(error, 'store.conflict')) throw error;
    }
    const over = (await this.countDead(sink)) - MAX_DEAD_LETTERS;
    if (over <= 0) return;
    const { rows } = await this.deadLetters(sink, { limit: over });
    await this.forget(
      sink,
      rows.map(({ id }) => id),
    );
  }

  async deadLetters(sink: string, page: PageRequest): Promise<Page<DeadLetter>> {
    const { reader, tenant } = this.#ports;
    const { after = '', limit } = page;
    const rows = await reader.all(readLetters({ tenant, sink, after, limit: limit + 1 }));
    return pageOf(rows.map(fromRow), page, ({ id }) => id);
  }

  async countDead(sink: string): Promise<number> {
    const { reader, tenant } = this.#ports;
    return (await reader.first(readCount({ tenant, sink })))?.count ?? 0;
  }

  async json(sink: string, { id }: DeadLetter): Promise<string | undefined> {
    const { fields, sealedRecords } = this.#ports;
    const place = this.#placeOf(sink, id);
    const stored = await sealedRecords.find(place);
    return stored && decodeUtf8(await fields.open(place, stored.sealed));
  }

  async forget(sink: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { sealedRecords, store, tenant } = this.#ports;
    await store.commit([
      compileWrite(
        query
          .deleteFrom('sink_dead_letters')
          .where('tenant', '=', tenant)
          .where('sink', '=', sink)
          .where('message_id', 'in', ids),
      ),
      ...ids.map((id) => sealedRecords.deletingAll(tenant, KIND, `${sink}/${id}`)),
    ]);
  }

  #placeOf(sink: string, id: string): Pick<SealedRecord, 'tenant' | 'kind' | 'id' | 'version'> {
    return { tenant: this.#ports.tenant, kind: KIND, id: `${sink}/${id}`, version: 1 };
  }
}

function toRow(tenant: Tenant, sink: string, letter: DeadLetter): SinkDeadLetterTable {
  const { attempts, bytes, deviceId, diedAt, id, reason, sentAt, topic } = letter;
  return {
    tenant,
    sink,
    message_id: id,
    device_id: deviceId ?? null,
    topic,
    bytes,
    attempts,
    reason,
    sent_at: sentAt,
    died_at: diedAt,
  };
}

function fromRow(row: SinkDeadLetterTable): DeadLetter {
  const { attempts, bytes, device_id, died_at, message_id, reason, sent_at, topic } = row;
  const deviceId = device_id ?? undefined;
  return { id: message_id, deviceId, topic, bytes, attempts, reason, sentAt: sent_at, diedAt: died_at };
}
