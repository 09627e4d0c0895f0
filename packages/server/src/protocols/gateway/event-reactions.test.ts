import { silentLog } from '@holdfast/kernel';
import type { EventHandler, EventName, Events, StoredEvent } from '@holdfast/trust/ports';
import { beforeEach, describe, expect, it } from 'vitest';
import { EventReactions, REACTIONS } from './event-reactions.ts';
import type { CutReason } from './session-table.ts';
import { claim, GatewayWorld, lamp } from './testing/gateway-world.ts';

let world: GatewayWorld;
beforeEach(() => {
  world = new GatewayWorld();
});

class TestEvents implements Events {
  readonly #events: StoredEvent[] = [];
  #handler: EventHandler = () => undefined;
  wakes = true;

  async say(name: EventName, subject: string, data: StoredEvent['data'] = {}): Promise<void> {
    const event = { tenant: 'default', name, subject, data, sequence: this.#events.length + 1, at: 0 };
    this.#events.push(event);
    if (this.wakes) await this.#handler(event);
  }

  subscribe(_: string, handler: EventHandler): { close(): void } {
    this.#handler = handler;
    return { close: () => undefined };
  }

  since(sequence: number): Promise<readonly StoredEvent[]> {
    return Promise.resolve(this.#events.slice(sequence));
  }

  latest(): number {
    return this.#events.length;
  }
}

describe('events', () => {
  let events: TestEvents;
  let reactions: EventReactions;
  let cuts: CutReason[];
  beforeEach(() => {
    events = new TestEvents();
    cuts = [];
    reactions = new EventReactions({
      events,
      sessions: world.sessions,
      clock: world.clock,
      log: silentLog,
      onCut: ({ reason }) => cuts.push(reason),
    });
    reactions.start();
  });

  const subjects: Readonly<Partial<Record<EventName, string>>> = {
    'certificate.revoked': lamp.fingerprint,
    'certificate.superseded': lamp.fingerprint,
    'claim.revoked': 'claim-1',
    'product.changed': 'lamp',
    'policy.changed': 'attached',
  };
  const rows = Object.entries(REACTIONS) as [EventName, { kind: 'cut' | 'refresh' }][];

  it.each(rows)('%s reaches the sessions it is about and no others', async (name, reaction) => {
    let refreshed = 0;
    const session = world.live(name === 'claim.revoked' ? claim : lamp);
    session.policies = ['attached'];
    session.refresh = () => refreshed++;
    await events.say(name, 'somebody-else');
    expect([session.state, refreshed]).toEqual(['live', 0]);
    await events.say(name, subjects[name] ?? 'lamp-1');
    expect([session.state, refreshed]).toEqual(reaction.kind === 'cut' ? ['ended', 0] : ['live', 1]);
    expect(cuts).toHaveLength(reaction.kind === 'cut' ? 2 : 0);
  });

  it('of any policy reach a session whose rights are being read', async () => {
    let refreshed = 0;
    world.live().refresh = () => refreshed++;
    await events.say('policy.changed', 'not known yet');
    expect(refreshed).toBe(1);
  });

  it('of an attachment reach the device or, for a group, everybody', async () => {
    let refreshed = 0;
    world.live().refresh = () => refreshed++;
    await events.say('policy.changed', 'new', { targetKind: 'device', targetId: 'lamp-2' });
    expect(refreshed).toBe(0);
    await events.say('policy.changed', 'new', { targetKind: 'device', targetId: 'lamp-1' });
    await events.say('policy.changed', 'new', { targetKind: 'group', targetId: 'any' });
    expect(refreshed).toBe(2);
  });

  it('that nobody announced are found by sequence on a timer', async () => {
    events.wakes = false;
    const session = world.live();
    await events.say('device.revoked', 'lamp-1');
    expect(session.state).toBe('live');
    world.clock.advance(2_000);
    await reactions.reconcile();
    expect(session.state).toBe('ended');
  });
});
