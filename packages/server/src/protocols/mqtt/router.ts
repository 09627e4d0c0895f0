import type { Clock } from '@holdfast/kernel';
import type { Qos } from '@holdfast/wire/mqtt';
import type { Journal } from './journal.ts';
import type { MqttLimits } from './limits.ts';
import { isExpired, type Message } from './message.ts';
import type { MqttMetrics } from './metrics.ts';
import type { MessageTap, StoredState } from './ports.ts';
import type { MqttProfile } from './profiles.ts';
import { RetainedRoom } from './retained-room.ts';
import type { Session, Subscription } from './session.ts';
import { TopicSpace } from './topic-space.ts';
import { type Match, mergeSubscriptions, type SharedGroup } from './topic-trie.ts';

export interface RouterPorts {
  readonly profile: MqttProfile;
  readonly limits: MqttLimits;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly metrics: MqttMetrics;
  readonly tap?: MessageTap | undefined;
}

export interface Routed {
  /** Whether anyone subscribed. */
  readonly matched: boolean;
  /** Whether there was no room to retain it. */
  readonly retainRefused: boolean;
  /** What the tap has to say before the message may be acknowledged. */
  readonly tapped: Promise<boolean> | undefined;
}

const EXPIRED_EVERY_MS = 10_000;

/** Brings messages to the sessions that subscribed, and keeps retained ones. */
export class Router {
  readonly #ports: RouterPorts;
  readonly #spaces = new Map<string, TopicSpace>();
  readonly #room: RetainedRoom;
  #expiredDroppedAt = Number.NEGATIVE_INFINITY;

  constructor(ports: RouterPorts) {
    this.#ports = ports;
    this.#room = new RetainedRoom(ports.limits);
  }

  get retainedCount(): number {
    return this.#room.count;
  }

  space(realm: string): TopicSpace {
    let space = this.#spaces.get(realm);
    if (space === undefined) {
      space = new TopicSpace(this.#ports.profile, this.#ports.limits.matchCacheEntries);
      this.#spaces.set(realm, space);
    }
    return space;
  }

  /** Delivers to every subscriber and, with the retain flag, retains. The caller has asked the policy. */
  publish(message: Message): Routed {
    const retainRefused = message.retain && !this.#retain(message);
    const { own, shared } = this.space(message.realm).match(message.topic);
    for (const match of own) {
      if (match.hasNoLocal && match.session.key === message.publisher) deliverNotOwn(message, match);
      else deliverMatch(message, match);
    }
    for (const group of shared) this.#deliverShared(message, group);
    const tapped = this.#ports.tap?.offer(message);
    return { matched: own.length + shared.length > 0 || tapped !== undefined, retainRefused, tapped };
  }

  /** Retained messages that a new subscription gets, expired ones left out. */
  retainedFor(subscription: Subscription, profile: MqttProfile): Message[] {
    // A shared subscription gets none (MQTT 5, 4.8.2).
    if (subscription.share !== undefined) return [];
    const { filter } = subscription;
    const retained = this.space(subscription.session.realm).retained;
    const wild = filter.includes('+') || filter.includes('#');
    if (wild && !profile.retainedToWildcards) return [];
    const now = this.#ports.clock.now();
    return retained.match(filter).filter((message) => !isExpired(message, now));
  }

  /** Removes the retained messages that a session published, and says how many. */
  purgeRetained(suits: (publisher: string, realm: string) => boolean): number {
    return this.#removeAll(({ publisher }, realm) => suits(publisher, realm));
  }

  restoreRetained(state: StoredState['retained'], messages: ReadonlyMap<number, Message>): void {
    for (const { realm, topic, messageId } of state) {
      const message = messages.get(messageId);
      if (message === undefined) continue;
      message.references++;
      this.#room.add(message);
      this.space(realm).retained.set(topic, message);
    }
  }

  #retain(message: Message): boolean {
    const { realm, topic } = message;
    // A retained message without payload removes the one that stands there [MQTT-3.3.1-6, 7].
    if (message.payload.length === 0) {
      this.#removeRetained(realm, topic);
      return true;
    }
    const { metrics, journal } = this.#ports;
    const { retained } = this.space(realm);
    if (!this.#room.fits(message, retained.get(topic))) this.#dropExpired();
    if (!this.#room.fits(message, retained.get(topic))) {
      metrics.retainedRefused++;
      return false;
    }
    message.hold();
    const messageId = journal.keep(message);
    journal.add({ kind: 'retained-saved', realm, topic, messageId });
    this.#room.add(message);
    const previous = retained.set(topic, message);
    if (previous !== undefined) this.#drop(previous);
    return true;
  }

  /** Looks over everything, so at most once a while however often there is no room. */
  #dropExpired(): void {
    const { clock } = this.#ports;
    if (clock.monotonicMs() - this.#expiredDroppedAt < EXPIRED_EVERY_MS) return;
    this.#expiredDroppedAt = clock.monotonicMs();
    const now = clock.now();
    this.#removeAll((message) => isExpired(message, now));
  }

  #removeAll(suits: (message: Message, realm: string) => boolean): number {
    let removed = 0;
    for (const [realm, space] of this.#spaces) {
      for (const message of space.retained.all()) {
        if (!suits(message, realm)) continue;
        this.#removeRetained(realm, message.topic);
        removed++;
      }
    }
    return removed;
  }

  #removeRetained(realm: string, topic: string): void {
    const previous = this.space(realm).retained.remove(topic);
    if (previous === undefined) return;
    this.#ports.journal.add({ kind: 'retained-removed', realm, topic });
    this.#drop(previous);
  }

  #drop(message: Message): void {
    this.#room.remove(message);
    this.#ports.journal.release(message);
  }

  /** One member gets it: one that is connected and may have it, else one whose session waits for it (4.8.2). */
  #deliverShared(message: Message, group: SharedGroup): void {
    const ready = group.pick(({ session }) => {
      const { link } = session;
      return link !== undefined && !link.congested && link.mayReceive(message.topic);
    });
    const member = ready ?? group.pick(({ session }) => session.persistent);
    if (member === undefined) this.#ports.metrics.messagesDropped++;
    else deliverMatch(message, mergeSubscriptions([member]));
  }
}

function lower(a: Qos, b: Qos): Qos {
  return a < b ? a : b;
}

function deliverMatch(message: Message, match: Match): void {
  const qos = lower(match.qos, message.qos);
  match.session.outbound.deliver(message, qos, match.retainAsPublished && message.retain, match.subscriptionIds);
}

/** To the publisher itself: only by subscriptions without No Local [MQTT-3.8.3-3]. */
function deliverNotOwn(message: Message, match: Match): void {
  const wanting = match.subscriptions.filter((subscription) => !subscription.noLocal);
  if (wanting.length > 0) deliverMatch(message, mergeSubscriptions(wanting));
}

/** A retained message to one session because of one subscription: RETAIN is set [MQTT-3.3.1-8]. */
export function deliverRetained(session: Session, subscription: Subscription, message: Message): void {
  const ids = subscription.subscriptionId === undefined ? [] : [subscription.subscriptionId];
  session.outbound.deliver(message, lower(subscription.qos, message.qos), true, ids);
}
