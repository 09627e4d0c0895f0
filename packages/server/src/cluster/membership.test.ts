import { ManualClock, silentLog } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenStore, openStore } from '../persistence/index.ts';
import { SqlNodeRecords } from '../persistence/repositories/cluster-nodes.ts';
import { Membership } from './membership.ts';

const UNUSED = () => ({ cancel: () => undefined });

let clock: ManualClock;
let store: OpenStore;
let dead: string[];
let revived: number[];
beforeEach(async () => {
  clock = new ManualClock();
  store = await openStore({ location: ':memory:', clock });
  dead = [];
  revived = [];
});
afterEach(() => store.close());

async function join(nodeId: string): Promise<Membership> {
  const membership = new Membership({
    records: new SqlNodeRecords({ ...store, tenant: 'default' }),
    // Beats come from the test alone, so that a node can stand still while time passes.
    clock: { now: () => clock.now(), monotonicMs: () => clock.monotonicMs(), after: UNUSED, every: UNUSED },
    log: silentLog,
    nodeId,
    name: nodeId,
    onDead: async (id) => void dead.push(id),
    onRevived: (slot) => revived.push(slot),
  });
  await membership.start();
  return membership;
}

/** Time passes for everybody; those named beat. */
async function pass(seconds: number, ...living: readonly Membership[]): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1_000);
    for (const node of living) await node.beat();
  }
}

describe('nodes on one store', () => {
  it('have slots of their own, and one of them leads', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map(join));
    await pass(3, ...nodes);
    expect(nodes.map(({ slot }) => slot).toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
    expect(nodes.filter(({ leads }) => leads)).toHaveLength(1);
    for (const node of nodes) await node.close();
  });

  it('never have two that lead: one that stood still leads no more before another does', async () => {
    const [first, second] = [await join('a'), await join('b')];
    await pass(3, first, second);
    expect([first.leads, second.leads]).toEqual([true, false]);
    for (let passed = 0; passed < 40 && !second.leads; passed++) {
      await pass(1, second);
      expect(first.leads && second.leads).toBe(false);
    }
    expect([first.leads, second.leads]).toEqual([false, true]);
    await first.close();
    await second.close();
  });

  it('notice one that is silent, and give it another place when it was only asleep', async () => {
    const [lives, sleeps] = [await join('a'), await join('b')];
    await pass(3, lives, sleeps);
    await pass(20, lives);
    expect(dead).toEqual(['b']);
    await sleeps.beat();
    expect(revived).toEqual([sleeps.slot]);
    expect((await new SqlNodeRecords({ ...store, tenant: 'default' }).list()).map(({ nodeId }) => nodeId)).toEqual([
      'a',
      'b',
    ]);
    await lives.close();
    await sleeps.close();
  });

  it('hand the lead on when they leave', async () => {
    const [first, second] = [await join('a'), await join('b')];
    await first.close();
    await second.beat();
    expect(second.leads).toBe(true);
    await second.close();
  });
});
