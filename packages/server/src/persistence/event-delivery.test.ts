import { ManualClock, silentLog } from '@holdfast/kernel';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EventDelivery } from './event-delivery.ts';
import { type OpenStore, openStore } from './open-store.ts';
import { OutboxRepository } from './repositories/log.ts';

let clock: ManualClock;
let opened: OpenStore;
let other: EventDelivery;
let wake: () => void;
let seen: number[];

/** Another node on the same records: it hears of a commit by its wake alone. */
beforeEach(async () => {
  clock = new ManualClock();
  opened = await openStore({ location: ':memory:', clock });
  const repository = new OutboxRepository(opened.reader);
  const hint = { onWake: (listener: () => void) => void (wake = listener) };
  other = new EventDelivery({ repository, store: opened.store, clock, log: silentLog, wake: hint }, 0);
  seen = [];
  other.subscribe('gateway', ({ sequence }) => void seen.push(sequence));
  await other.settled();
});
afterEach(async () => {
  await other.close();
  await opened.close();
});

const commit = () =>
  opened.store.commit([opened.outbox.event({ tenant: 't', name: 'policy.changed', subject: 'p', data: {} })]);

it('delivers what another node committed when it is woken', async () => {
  await commit();
  expect(seen).toEqual([]);
  wake();
  await expect.poll(() => seen).toEqual([1]);
  expect(other.latest()).toBe(1);
});

it('delivers it within a second when the hint was lost', async () => {
  await commit();
  clock.advance(1000);
  await expect.poll(() => seen).toEqual([1]);
});

it('delivers each event once however often it is woken', async () => {
  await commit();
  for (let at = 0; at < 5; at++) wake();
  await commit();
  wake();
  clock.advance(1000);
  await expect.poll(() => seen).toEqual([1, 2]);
});

it('does not take back the position another node came to', async () => {
  const repository = new OutboxRepository(opened.reader);
  await opened.store.commit([repository.moveCursor('shared', 9)]);
  await opened.store.commit([repository.moveCursor('shared', 4)]);
  expect(await repository.cursor('shared')).toBe(9);
});
