import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stormUnit, wholeUnits } from '../../../packages/server/src/persistence/conformance/storm-unit.ts';
import { openPostgres } from '../../../packages/server/src/persistence/postgres/open.ts';
import { TestSystem } from '../../../packages/server/src/system/testing/system.ts';
import { PostgresCluster } from '../world/postgres-cluster.ts';
import { addressOf } from './address.ts';

const OUTAGE_MS = 5_000;

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await PostgresCluster.start();
});
afterAll(() => cluster.close());

describe('a store whose PostgreSQL is killed under load', () => {
  it('holds every unit it acknowledged and no half one, and goes on by itself', async () => {
    const address = addressOf(cluster.create('storm'));
    const opened = await openPostgres({ address, clock: systemClock });
    const acknowledged: number[] = [];
    const codes = new Set<unknown>();
    let next = 0;
    const over = new AbortController();
    const writer = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const number = next++;
        try {
          await opened.store.commit(stormUnit(opened, number));
          acknowledged.push(number);
        } catch (error) {
          codes.add((error as { readonly code?: unknown }).code);
          await sleep(20);
        }
      }
    };
    const writers = Array.from({ length: 20 }, writer);
    for (const loadMs of [40, 150, 400]) {
      await expect.poll(() => acknowledged.length).toBeGreaterThan(0);
      await sleep(loadMs);
      await cluster.kill();
      await cluster.start();
      const before = acknowledged.length;
      await expect.poll(() => acknowledged.length).toBeGreaterThan(before + 100);
    }
    over.abort();
    await Promise.all(writers);
    const whole = await wholeUnits(opened);
    expect(acknowledged.filter((number) => !whole.has(number))).toEqual([]);
    expect([...codes]).toEqual(['store.unavailable']);
    await opened.close();
    const again = await openPostgres({ address, clock: systemClock });
    expect((await wholeUnits(again)).size).toBe(whole.size);
    await again.close();
  });
});

describe('a server whose PostgreSQL is stopped', () => {
  let system: TestSystem;
  beforeAll(async () => {
    system = await TestSystem.start({ store: cluster.create('outage') });
    await system.addProduct('lamp');
  });
  afterAll(() => system.close());

  it('says so while it lasts, keeps its live sessions, and serves again by itself', async () => {
    const [held, doomed] = [await system.enroll('lamp-1'), await system.enroll('lamp-2')];
    const client = await system.mqtt(held, { id: held.id });
    const victim = await system.mqtt(doomed, { id: doomed.id });
    await client.subscribe('devices/lamp-1/echo');
    await cluster.stop();
    const ended = performance.now() + OUTAGE_MS;
    while (performance.now() < ended) {
      expect(await system.code(system.api.call('devices.list', { query: {} }))).toBe('store.unavailable');
      expect(await system.code(system.addProduct(`p${Math.round(performance.now())}`))).toBe('store.unavailable');
      client.publish('devices/lamp-1/echo');
      await sleep(100);
    }
    await expect.poll(() => client.delivered.length).toBeGreaterThan(5);
    expect((await system.mqtt(held, { id: held.id })).connack ?? 0x88).not.toBe(0);
    expect(client.socket.destroyed).toBe(false);

    await cluster.start();
    await expect.poll(() => system.code(system.api.call('devices.list', { query: {} }))).toBe('done');
    await expect.poll(() => system.code(system.addProduct(`q${Math.round(performance.now())}`))).toBe('done');
    await system.api.call('devices.revoke', { device: doomed.id, body: { reason: 'keyCompromise' } });
    await expect.poll(() => victim.disconnect).toBe(0x98);
    expect((await system.mqtt(await system.enroll('lamp-3'), { id: 'lamp-3' })).connack).toBe(0);
    expect((await system.api.call('audit.verify', {})).kind).toBe('intact');
  });
});
