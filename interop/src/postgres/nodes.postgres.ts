import { systemClock } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stormUnit, wholeUnits } from '../../../packages/server/src/persistence/conformance/storm-unit.ts';
import type { OpenStore } from '../../../packages/server/src/persistence/index.ts';
import { openPostgres } from '../../../packages/server/src/persistence/postgres/open.ts';
import { TestSystem } from '../../../packages/server/src/system/testing/system.ts';
import { addressOf } from './address.ts';
import { freshDatabase } from './database.ts';

let nodes: readonly OpenStore[];

beforeEach(async () => {
  const address = addressOf(await freshDatabase());
  // At once, as when a cluster starts: one of them makes the tables.
  nodes = await Promise.all([1, 2, 3].map(() => openPostgres({ address, clock: systemClock })));
});
afterEach(() => Promise.all(nodes.map((node) => node.close())));

describe('three nodes on one PostgreSQL', () => {
  it('number events and audit entries without a gap and keep every unit whole', async () => {
    const numbers = Array.from({ length: 300 }, (_, number) => number);
    const node = (number: number): OpenStore => nodes[number % nodes.length] as OpenStore;
    await Promise.all(numbers.map((number) => node(number).store.commit(stormUnit(node(number), number))));
    for (const each of nodes) expect((await wholeUnits(each)).size).toBe(numbers.length);
  });

  it('each deliver every event, in order, whoever committed it', async () => {
    const seen = nodes.map(() => [] as number[]);
    for (const [at, { events }] of nodes.entries()) {
      events.subscribe('gateway', ({ sequence }) => void seen[at]?.push(sequence));
    }
    for (const [at, node] of nodes.entries()) await node.store.commit(stormUnit(node, at));
    for (const each of seen) await expect.poll(() => each).toEqual([1, 2, 3]);
  });

  it('let one of them through where all want the same row', async () => {
    const unit = (node: OpenStore) => stormUnit(node, 7);
    const outcomes = await Promise.allSettled(nodes.map((node) => node.store.commit(unit(node))));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason.code as unknown] : [],
    );
    expect(codes).toEqual(['store.conflict', 'store.conflict']);
  });
});

describe('two servers on one PostgreSQL', () => {
  it('are one authority: what one enrolls the other serves, and what one revokes the other cuts', async () => {
    const store = await freshDatabase();
    const first = await TestSystem.start({ store });
    const second = await TestSystem.start({ store, rootKey: `file:${first.data}.root-key` });
    try {
      await first.addProduct('lamp');
      const device = await first.enroll('lamp-1');
      const client = await second.mqtt(device, { id: device.id });
      expect(client.connack).toBe(0);
      await first.api.call('devices.revoke', { device: device.id, body: { reason: 'keyCompromise' } });
      await expect.poll(() => client.disconnect).toBe(0x98);
      expect((await second.mqtt(device, { id: device.id })).connack ?? 0x87).toBe(0x87);
      for (const { api } of [first, second]) expect((await api.call('audit.verify', {})).kind).toBe('intact');
    } finally {
      await second.close();
      await first.close();
    }
  });

  it('refuse one that has another root key', async () => {
    const store = await freshDatabase();
    const first = await TestSystem.start({ store });
    try {
      await expect(TestSystem.start({ store })).rejects.toMatchObject({ code: 'storage.root_key_missing' });
    } finally {
      await first.close();
    }
  });
});
