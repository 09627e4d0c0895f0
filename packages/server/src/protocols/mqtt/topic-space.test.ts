import { ManualClock, silentLog } from '@holdfast/kernel';
import { type MatchRules, parseTopicFilter, topicMatches } from '@holdfast/wire/mqtt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Journal } from './journal.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { MemoryStore } from './memory-store.ts';
import { Message } from './message.ts';
import { createMetrics } from './metrics.ts';
import { MQTT_PROFILE } from './profiles.ts';
import { RetainedTree } from './retained-tree.ts';
import { Session, type Subscription } from './session.ts';
import { ManualTurn } from './testing/test-core.ts';
import { TopicSpace } from './topic-space.ts';

const level = fc.constantFrom('a', 'b', '', '$x', 'c');
const topic = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((text) => text.length > 0);
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, hash]) => (hash ? [...levels, '#'] : levels).join('/'))
  .filter((text) => text.length > 0);
const anyFilter = fc.oneof(filter, fc.constant('#'), fc.constant('/#'));
const rules = fc.constantFrom<MatchRules>({ hashMatchesParent: true }, { hashMatchesParent: false });

function createSession(key: string): Session {
  const metrics = createMetrics();
  const journal = new Journal({ store: new MemoryStore(), turn: new ManualTurn(), log: silentLog, metrics });
  const ports = { clock: new ManualClock(), journal, limits: DEFAULT_LIMITS, metrics };
  return new Session({ key, realm: 'r', clientId: key }, ports);
}

function createSubscription(text: string, session = createSession(text)): Subscription {
  const parsed = parseTopicFilter(text);
  if (parsed.kind !== 'filter') throw new Error(text);
  return {
    session,
    text,
    filter: parsed.filter,
    share: parsed.share,
    qos: 0,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionId: undefined,
  };
}

function createMessage(name: string): Message {
  const payload = new Uint8Array(1);
  const properties = new Uint8Array(0);
  const rest = { realm: 'r', payload, properties, qos: 0, retain: true, expiresAt: undefined, publisher: '' } as const;
  return new Message({ topic: name, ...rest });
}

describe('a topic space', () => {
  it('finds exactly the subscriptions whose filters match, whatever came and went before', () => {
    fc.assert(
      fc.property(
        rules,
        fc.array(anyFilter, { maxLength: 12 }),
        fc.array(fc.nat(11), { maxLength: 6 }),
        fc.array(topic, { minLength: 1, maxLength: 4 }),
        (matching, filters, removed, names) => {
          const space = new TopicSpace({ ...MQTT_PROFILE, ...matching }, 3);
          const live = new Set(filters.map((text) => createSubscription(text)));
          for (const subscription of live) space.subscribe(subscription);
          for (const name of names) space.match(name); // Fills the cache, which the removals must empty.
          for (const at of removed) {
            const subscription = [...live][at];
            if (subscription === undefined) continue;
            space.unsubscribe(subscription);
            live.delete(subscription);
          }
          for (const name of names) {
            const wanted = [...live].filter((each) => topicMatches(each.filter, name, matching));
            const found = space.match(name).own.flatMap(({ subscriptions }) => subscriptions);
            expect(new Set(found)).toEqual(new Set(wanted));
            expect(found).toHaveLength(wanted.length);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('finds exactly the retained messages that a filter matches', () => {
    fc.assert(
      fc.property(
        rules,
        fc.uniqueArray(topic, { maxLength: 10 }),
        fc.array(topic, { maxLength: 4 }),
        anyFilter,
        (matching, names, removed, wanted) => {
          const tree = new RetainedTree(matching);
          const live = new Set(names);
          for (const name of names) tree.set(name, createMessage(name));
          for (const name of removed) expect(tree.remove(name) !== undefined).toBe(live.delete(name));
          const expected = [...live].filter((name) => topicMatches(wanted, name, matching));
          expect(new Set(tree.match(wanted).map((message) => message.topic))).toEqual(new Set(expected));
          expect(tree.all()).toHaveLength(live.size);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('merges the subscriptions of one session and keeps the groups of shared ones apart', () => {
    const space = new TopicSpace(MQTT_PROFILE, 10);
    const session = createSession('s');
    for (const text of ['a/+', 'a/#', '$share/g/a/b', '$share/h/a/b']) {
      space.subscribe(createSubscription(text, session));
    }
    space.subscribe(createSubscription('$share/g/a/b', createSession('t')));
    const { own, shared } = space.match('a/b');
    expect(own).toHaveLength(1);
    expect(own[0]?.subscriptions).toHaveLength(2);
    expect(shared.map(({ members }) => members.length)).toEqual([2, 1]);
  });
});
