import type { Clock } from '@holdfast/kernel';
import type { Qos } from '@holdfast/wire/mqtt';
import type { Journal } from './journal.ts';
import type { MqttLimits } from './limits.ts';
import { isExpired, Message } from './message.ts';
import type { MqttMetrics } from './metrics.ts';
import type { Peers } from './peers.ts';
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
  readonly peers?: Peers | undefined;
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
    const elsewhere = this.#forward(message, own, shared);
    const tapped = this.#ports.tap?.offer(message);
    return { matched: own.length + shared.length > 0 || elsewhere || tapped !== undefined, retainRefused, tapped };
  }

  /**
   * Delivers what another core took in to the sessions connected here.
   *
   * @param stored - Sessions it has stored the message for.
   * @param groups - Shared subscriptions, as subscribed, that this core is to serve.
   */
  receive(message: Message, stored: ReadonlySet<string>, groups: ReadonlySet<string>): void {
    const { own, shared } = this.space(message.realm).match(message.topic);
    for (const match of own) {
      const { session } = match;
      if (session.link === undefined || (stored.has(session.key) && lower(match.qos, message.qos) > 0)) continue;
      if (match.hasNoLocal && session.key === message.publisher) deliverNotOwn(message, match);
      else deliverMatch(message, match);
    }
    for (const group of shared) if (groups.has(group.text)) this.#deliverHere(message, group);
  }

  /** Puts what another core retained, or removed, in its place; an older one than what stands there is nothing. */
  retainRemote(realm: string, topic: string, message: Message | undefined, id: number): void {
    const { retained } = this.space(realm);
    const previous = retained.get(topic);
    if (previous !== undefined && previous.storedId >= id) return;
    if (message === undefined) retained.remove(topic);
    else {
      message.shared = true;
      message.references++;
      this.#room.add(message);
      retained.set(topic, message);
    }
    if (previous !== undefined) this.#room.remove(previous);
  }

  retainedAll(): readonly { readonly realm: string; readonly message: Message }[] {
    return [...this.#spaces].flatMap(([realm, space]) => space.retained.all().map((message) => ({ realm, message })));
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
    message.shared = this.#ports.peers !== undefined;
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
    if (this.#deliverHere(message, group)) return;
    const member = group.pick(({ session }) => session.persistent);
    if (member === undefined) this.#ports.metrics.messagesDropped++;
    else deliverMatch(message, mergeSubscriptions([member]));
  }

  /** To a member that is connected here. */
  #deliverHere(message: Message, group: SharedGroup): boolean {
    const ready = group.pick(({ session }) => {
      const { link } = session;
      return link !== undefined && !link.congested && link.mayReceive(message.topic);
    });
    if (ready !== undefined) deliverMatch(message, mergeSubscriptions([ready]));
    return ready !== undefined;
  }

  /** Serves shared subscriptions, here before elsewhere, and brings the message to other cores that want it. */
  #forward(message: Message, own: readonly Match[], shared: readonly SharedGroup[]): boolean {
    const { peers } = this.#ports;
    if (peers === undefined) {
      for (const group of shared) this.#deliverShared(message, group);
      return false;
    }
    const stored = own.flatMap((match) =>
      match.session.remote && lower(match.qos, message.qos) > 0 ? [match.session.key] : [],
    );
    const here = shared.filter((group) => this.#deliverHere(message, group) || this.#store(message, group, stored));
    const served = new Set(here.map(({ text }) => text));
    const elsewhere = peers.forward(message, { stored, served });
    for (const group of shared) {
      if (!served.has(group.text) && !elsewhere.served.has(group.text)) this.#deliverShared(message, group);
    }
    return elsewhere.wanted;
  }

  /** To a member that another core has connected, by way of the store: it outlives that core. */
  #store(message: Message, group: SharedGroup, stored: string[]): boolean {
    const member = group.pick(
      ({ qos, session }) => session.remote && session.disconnectedAt === undefined && lower(qos, message.qos) > 0,
    );
    if (member === undefined) return false;
    deliverMatch(message, mergeSubscriptions([member]));
    stored.push(member.session.key);
    return true;
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
  // Another core may replace the retained one, and remove it, while this copy still waits.
  const copy = message.shared ? new Message({ ...message.toStored(), payload: message.payload }) : message;
  session.outbound.deliver(copy, lower(subscription.qos, message.qos), true, ids);
}
