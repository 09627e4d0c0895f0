import { HoldfastError, ManualClock } from '@holdfast/kernel';
import type { DomainEvent, StoredEvent, Write } from '@holdfast/trust/ports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenStore } from '../open-store.ts';
import { query } from '../schema.ts';
import { compileWrite } from '../write.ts';

/** Opens the same store again: what was committed must still be there. */
export type ReopenStore = (clock: ManualClock) => Promise<OpenStore>;

/** What every record store must do, whatever holds its rows. */
export function describeStore(name: string, openEmpty: ReopenStore, reopen?: ReopenStore): void {
  describe(`${name} as a store`, () => {
    let clock: ManualClock;
    let opened: OpenStore;

    beforeEach(async () => {
      clock = new ManualClock();
      opened = await openEmpty(clock);
    });
    afterEach(() => opened.close());

    it('commits every write of a unit', async () => {
      await opened.store.commit([put('a', 1), put('b', 2)]);
      expect(await rows(opened)).toEqual([
        { consumer: 'a', sequence: 1 },
        { consumer: 'b', sequence: 2 },
      ]);
    });

    it('rolls the whole unit back when a guard matches nothing', async () => {
      await opened.store.commit([put('a', 1)]);
      const unit = [put('b', 2), move('a', 7, 8), event('device.enrolled'), fact('device.enrolled')];
      await expect(opened.store.commit(unit)).rejects.toThrowError(coded('store.conflict'));
      expect(await rows(opened)).toEqual([{ consumer: 'a', sequence: 1 }]);
      expect(await opened.events.since(0, 10)).toEqual([]);
      expect(await auditRows(opened)).toEqual([]);
    });

    it('rolls a unit back alone: its neighbours of the same batch are kept', async () => {
      await opened.store.commit([put('a', 1)]);
      const outcomes = await Promise.allSettled([
        opened.store.commit([put('b', 2), event('device.enrolled')]),
        opened.store.commit([put('c', 3), move('a', 7, 8), event('device.revoked')]),
        opened.store.commit([move('a', 1, 5), event('device.suspended')]),
        opened.store.commit([put('b', 9)]),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
      expect(await rows(opened)).toEqual([
        { consumer: 'a', sequence: 5 },
        { consumer: 'b', sequence: 2 },
      ]);
      const events = await opened.events.since(0, 10);
      expect(events.map(({ sequence, name }) => [sequence, name])).toEqual([
        [1, 'device.enrolled'],
        [2, 'device.suspended'],
      ]);
    });

    it('lets exactly one of many units change a guarded row', async () => {
      await opened.store.commit([put('a', 0)]);
      const racers = Array.from({ length: 50 }, (_, to) => opened.store.commit([move('a', 0, to + 1)]));
      const outcomes = await Promise.allSettled(racers);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(HoldfastError.is(outcome.reason, 'store.conflict')).toBe(true);
      }
    });

    it('calls an id that is taken a conflict', async () => {
      await opened.store.commit([put('a', 1)]);
      await expect(opened.store.commit([put('a', 2)])).rejects.toThrowError(coded('store.conflict'));
    });

    it('runs units in the order they were asked for', async () => {
      await opened.store.commit([put('a', 0)]);
      await Promise.all(Array.from({ length: 100 }, (_, at) => opened.store.commit([move('a', at, at + 1)])));
      expect(await rows(opened)).toEqual([{ consumer: 'a', sequence: 100 }]);
    });

    it('commits units that wait together in few transactions', async () => {
      const before = opened.store.counters.transactions;
      await Promise.all(Array.from({ length: 500 }, (_, at) => opened.store.commit([put(`c${at}`, at)])));
      expect(opened.store.counters).toMatchObject({ transactions: before + 1, units: 500 });
    });

    it('keeps bytes, the largest whole number and any text as they were', async () => {
      const hash = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      const tile = { level: Number.MAX_SAFE_INTEGER, position: 0, hash: hash.subarray(1, 255) };
      const text = "Robert'); DROP TABLE outbox;-- \u0000 \u{1f512} %_";
      await opened.store.commit([compileWrite(query.insertInto('audit_tiles').values(tile)), put(text, 1)]);
      const read = await opened.reader.first(query.selectFrom('audit_tiles').selectAll());
      expect(read).toEqual({ ...tile, hash: hash.slice(1, 255) });
      expect(await rows(opened)).toEqual([{ consumer: text, sequence: 1 }]);
    });

    it('refuses a write made by something else', async () => {
      await expect(opened.store.commit([{ kind: 'foreign' }])).rejects.toThrowError(coded('kernel.internal'));
    });

    it('refuses units once closed, after committing those that waited', async () => {
      const waiting = opened.store.commit([put('a', 1)]);
      await opened.close();
      await expect(waiting).resolves.toBeUndefined();
      await expect(opened.store.commit([put('b', 1)])).rejects.toThrowError(coded('store.unavailable'));
      opened = await openEmpty(clock);
    });

    it('numbers events and audit entries by commit order, with the time of the unit', async () => {
      await opened.store.commit([event('device.enrolled'), fact('device.enrolled')]);
      clock.advance(5);
      await opened.store.commit([event('device.revoked'), event('device.readmitted'), fact('device.revoked')]);
      const events = await opened.events.since(0, 10);
      expect(events.map(({ sequence, name, at }) => [sequence, name, at - clock.now()])).toEqual([
        [1, 'device.enrolled', -5],
        [2, 'device.revoked', 0],
        [3, 'device.readmitted', 0],
      ]);
      expect((await auditRows(opened)).map(({ sequence, action }) => [sequence, action])).toEqual([
        [0, 'device.enrolled'],
        [1, 'device.revoked'],
      ]);
    });

    describe('events', () => {
      it('reach every consumer in order, each once when nothing fails', async () => {
        const seen: string[] = [];
        opened.events.subscribe('first', ({ sequence }) => void seen.push(`first ${sequence}`));
        opened.events.subscribe('second', ({ sequence }) => void seen.push(`second ${sequence}`));
        for (let at = 0; at < 3; at++) await opened.store.commit([event('policy.changed')]);
        await opened.events.settled();
        expect(seen.filter((line) => line.startsWith('first'))).toEqual(['first 1', 'first 2', 'first 3']);
        expect(seen.filter((line) => line.startsWith('second'))).toEqual(['second 1', 'second 2', 'second 3']);
      });

      it('carry what was stated', async () => {
        const seen: StoredEvent[] = [];
        opened.events.subscribe('one', (stored) => void seen.push(stored));
        const stated: DomainEvent = {
          tenant: 'default',
          name: 'posture.changed',
          subject: 'lamp-1',
          data: { from: 'unproven', counter: 3, proven: true, reason: null },
        };
        await opened.store.commit([opened.outbox.event(stated)]);
        await opened.events.settled();
        expect(seen).toEqual([{ ...stated, sequence: 1, at: clock.now() }]);
      });

      it('that a handler fails on are delivered again after a pause, and hold up nobody else', async () => {
        const seen: number[] = [];
        const others: number[] = [];
        let failures = 3;
        opened.events.subscribe('shaky', ({ sequence }) => {
          if (sequence === 2 && failures-- > 0) throw new Error('not now');
          seen.push(sequence);
        });
        opened.events.subscribe('steady', ({ sequence }) => void others.push(sequence));
        for (let at = 0; at < 3; at++) await opened.store.commit([event('policy.changed')]);
        await opened.events.settled();
        expect([seen, others]).toEqual([[1], [1, 2, 3]]);
        for (const pauseMs of [100, 200, 400]) {
          expect(seen).toEqual([1]);
          clock.advance(pauseMs);
          await opened.events.settled();
        }
        expect(seen).toEqual([1, 2, 3]);
      });

      it('committed inside a handler are delivered too', async () => {
        const seen: string[] = [];
        opened.events.subscribe('chain', async ({ name }) => {
          seen.push(name);
          if (name === 'device.revoked') await opened.store.commit([event('execution.changed')]);
        });
        await opened.store.commit([event('device.revoked')]);
        while (seen.length < 2) await opened.events.settled();
        expect(seen).toEqual(['device.revoked', 'execution.changed']);
      });

      it('that all have handled are pruned when old; the newest stays, so that no sequence is used twice', async () => {
        opened.events.subscribe('one', () => undefined);
        for (let at = 0; at < 3; at++) await opened.store.commit([event('policy.changed')]);
        await opened.events.settled();
        clock.advance(8 * 86_400_000);
        await eventually(async () => {
          await opened.events.prune();
          expect((await opened.events.since(0, 10)).map(({ sequence }) => sequence)).toEqual([3]);
        });
      });
    });

    const again = reopen;
    if (!again) return;

    it('holds after it is opened again what it acknowledged, and counts on', async () => {
      await opened.store.commit([put('a', 1), event('device.enrolled'), fact('device.enrolled')]);
      await opened.close();
      opened = await again(clock);
      await opened.store.commit([event('device.revoked'), fact('device.revoked')]);
      expect(await rows(opened)).toEqual([{ consumer: 'a', sequence: 1 }]);
      expect((await opened.events.since(0, 10)).map(({ sequence }) => sequence)).toEqual([1, 2]);
      expect((await auditRows(opened)).map(({ sequence }) => sequence)).toEqual([0, 1]);
    });

    it('delivers after it is opened again what a consumer had not handled', async () => {
      const seen: number[] = [];
      opened.events.subscribe('one', ({ sequence }) => void seen.push(sequence));
      await opened.store.commit([event('device.enrolled')]);
      await opened.events.settled();
      await opened.close();
      opened = await again(clock);
      await opened.store.commit([event('device.revoked')]);
      await opened.close();
      opened = await again(clock);
      opened.events.subscribe('one', ({ sequence }) => void seen.push(sequence));
      await opened.events.settled();
      expect(seen).toEqual([1, 2]);
    });

    function event(name: DomainEvent['name']): Write {
      return opened.outbox.event({ tenant: 'default', name, subject: 'lamp-1', data: {} });
    }

    function fact(action: string): Write {
      return opened.audit.entry({ tenant: 'default', actor: 'system', action, subject: 'lamp-1', details: { n: 1 } });
    }
  });
}

const coded = (code: string) => expect.objectContaining({ code });

function put(consumer: string, sequence: number): Write {
  return compileWrite(query.insertInto('outbox_cursors').values({ consumer, sequence }), { expectRows: 1 });
}

function move(consumer: string, from: number, to: number): Write {
  return compileWrite(
    query
      .updateTable('outbox_cursors')
      .set({ sequence: to })
      .where('consumer', '=', consumer)
      .where('sequence', '=', from),
    { expectRows: 1 },
  );
}

async function rows({ reader }: OpenStore): Promise<unknown> {
  const all = await reader.all(query.selectFrom('outbox_cursors').selectAll().orderBy('consumer'));
  return all.map((row) => ({ ...row }));
}

async function auditRows({ reader }: OpenStore) {
  return reader.all(query.selectFrom('audit_entries').selectAll().orderBy('sequence'));
}

async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await check();
      return;
    } catch (error) {
      if (tries === 50) throw error;
    }
  }
}
