import { describe, expect, it } from 'vitest';
import { FairQueue } from './fair-queue.ts';

const LIMITS = { inFlight: 1, waitingEach: 3, waitingAll: 5 };

/** A task that ends when it is told to. */
function held(): { readonly task: () => Promise<void>; readonly end: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { task: () => promise, end: resolve };
}

describe('a fair queue', () => {
  it('takes askers in turn, however many tasks one of them brings', async () => {
    const queue = new FairQueue(LIMITS);
    const order: string[] = [];
    const first = held();
    const running = queue.run('x', first.task);
    const say = (name: string) => () => Promise.resolve(void order.push(name));
    const rest = [
      queue.run('a', say('a1')),
      queue.run('a', say('a2')),
      queue.run('a', say('a3')),
      queue.run('b', say('b1')),
      queue.run('c', say('c1')),
    ];
    first.end();
    await Promise.all([running, ...rest]);
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'a3']);
  });

  it('turns away whose line is full, and everybody when all are', async () => {
    const queue = new FairQueue(LIMITS);
    const first = held();
    const running = queue.run('x', first.task);
    const nothing = () => Promise.resolve();
    const waiting = ['a', 'a', 'a'].map((asker) => queue.run(asker, nothing));
    await expect(queue.run('a', nothing)).rejects.toMatchObject({ code: 'communication.busy' });
    waiting.push(queue.run('b', nothing), queue.run('c', nothing));
    await expect(queue.run('d', nothing)).rejects.toMatchObject({ code: 'communication.busy' });
    first.end();
    await Promise.all([running, ...waiting]);
    await expect(queue.run('d', nothing)).resolves.toBeUndefined();
  });

  it('works on no more at once than it may, and goes on after a failure', async () => {
    const queue = new FairQueue({ ...LIMITS, inFlight: 2 });
    let open = 0;
    let most = 0;
    const task = async () => {
      most = Math.max(most, ++open);
      await Promise.resolve();
      open--;
      throw new TypeError('failed');
    };
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd', 'a'].map((asker) => queue.run(asker, task)));
    expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill('rejected'));
    expect([most, open]).toEqual([2, 0]);
  });
});
