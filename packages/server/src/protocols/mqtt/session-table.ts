import type { Clock } from '@holdfast/kernel';
import { parseTopicFilter, type Will } from '@holdfast/wire/mqtt';
import type { Interest } from './interest.ts';
import type { Journal } from './journal.ts';
import type { MqttLimits } from './limits.ts';
import { Message } from './message.ts';
import type { MqttMetrics } from './metrics.ts';
import type { Peers } from './peers.ts';
import type {
  ConnectionInfo,
  MqttObserver,
  MqttPrincipal,
  StoredSession,
  StoredState,
  StoredSubscription,
} from './ports.ts';
import type { Router } from './router.ts';
import type { Link } from './link.ts';
import { Session, type Subscription } from './session.ts';
import type { Wills } from './wills.ts';

export interface SessionTablePorts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly limits: MqttLimits;
  readonly metrics: MqttMetrics;
  readonly router: Router;
  readonly wills: Wills;
  readonly observer: MqttObserver;
  readonly peers?: Peers | undefined;
  readonly interest?: Interest | undefined;
}

/** "Does not expire" (MQTT 5, 3.1.2.11.2). */
const NEVER = 0xffff_ffff;

const MAX_TIMER_SECONDS = 2_147_483;

/** Every session by its key: who has it now, and when it ends. */
export class SessionTable {
  readonly #ports: SessionTablePorts;
  readonly #sessions = new Map<string, Session>();
  #offline = 0;

  constructor(ports: SessionTablePorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get offline(): number {
    return this.#offline;
  }

  get(key: string): Session | undefined {
    return this.#sessions.get(key);
  }

  all(): Session[] {
    return [...this.#sessions.values()];
  }

  /**
   * Gives the session of a key to a new connection, ending the one that has it (3.1.4: [MQTT-3.1.4-3]).
   *
   * @returns the session, and whether it was there before.
   */
  attach(link: Link, clean: boolean, expirySeconds: number): { readonly session: Session; readonly present: boolean } {
    const { sessionKey: key, realm, clientId } = link.info;
    this.endPrevious(key, link.info);
    let session = this.#sessions.get(key);
    if (session !== undefined && (clean || session.realm !== realm)) {
      this.end(session);
      session = undefined;
    }
    const present = session !== undefined;
    if (session === undefined) {
      session = new Session({ key, realm, clientId }, this.#ports);
      this.#sessions.set(key, session);
    } else {
      this.#offline--;
    }
    session.expiryTimer?.cancel();
    session.expiryTimer = undefined;
    session.delayedWill?.timer.cancel();
    session.delayedWill = undefined;
    session.disconnectedAt = undefined;
    session.expirySeconds = expirySeconds;
    session.link = link;
    session.remote = false;
    this.#savePersistence(session);
    for (const subscription of session.subscriptions.values()) this.#ports.interest?.add(subscription);
    return { session, present };
  }

  /** Ends the connection that has the session of a key here. */
  endPrevious(key: string, next: ConnectionInfo): void {
    const previous = this.#sessions.get(key)?.link;
    if (previous === undefined) return;
    this.#ports.metrics.takeOvers++;
    this.#ports.observer.takenOver?.(previous.info, next);
    previous.takeOver();
  }

  /** A connection has left its session; `will` when its last words are due. */
  detach(session: Session, will: { readonly will: Will; readonly principal: MqttPrincipal } | undefined): void {
    session.link = undefined;
    session.departures++;
    this.#offline++;
    for (const subscription of session.subscriptions.values()) this.#ports.interest?.remove(subscription);
    // Another core has it: nothing of it is ours to write, and its last words are not due.
    if (session.remote) return;
    if (will !== undefined) this.#ports.wills.connectionLost(session, will.will, will.principal);
    if (session.ended) return;
    const crowded = this.#offline > this.#ports.limits.maxOfflineSessions;
    if (session.expirySeconds === 0 || crowded) {
      this.end(session);
      return;
    }
    session.disconnectedAt = this.#ports.clock.now();
    this.#ports.journal.add({ kind: 'session-saved', session: session.toStored() });
    if (this.#ports.peers === undefined) this.#scheduleExpiry(session);
    else this.#leaveToAll(session);
  }

  /** Ends a session that has no connection: nothing of it is left. A delayed will fires, unless it is silenced. */
  end(session: Session, silent = false): void {
    if (session.ended) return;
    session.ended = true;
    this.#offline--;
    session.expiryTimer?.cancel();
    const space = this.#ports.router.space(session.realm);
    for (const subscription of session.subscriptions.values()) space.unsubscribe(subscription);
    session.subscriptions.clear();
    session.forgetDurably();
    this.#sessions.delete(session.key);
    const { delayedWill } = session;
    delayedWill?.timer.cancel();
    if (!silent) delayedWill?.fire();
    this.#ports.peers?.release(session.key);
  }

  /** Makes the expiry of a connected session another one (DISCONNECT may change it). */
  changeExpiry(session: Session, expirySeconds: number): void {
    session.expirySeconds = expirySeconds;
    if (expirySeconds === 0) session.forgetDurably();
  }

  restore(state: StoredState): void {
    const messages = new Map(state.messages.map((stored) => [stored.id, Message.restored(stored)]));
    for (const { session: stored, subscriptions, deliveries, inbound } of state.sessions) {
      const session = new Session(stored, this.#ports);
      session.persistent = true;
      session.remote = this.#ports.peers !== undefined;
      session.expirySeconds = stored.expirySeconds;
      session.disconnectedAt = stored.disconnectedAt ?? (session.remote ? undefined : this.#ports.clock.now());
      for (const subscription of subscriptions) this.#restoreSubscription(session, subscription);
      for (const delivery of deliveries) {
        const message = messages.get(delivery.messageId);
        if (message !== undefined) session.outbound.restore(delivery, message);
      }
      for (const { packetId, messageId } of inbound) {
        const message = messages.get(messageId);
        if (message !== undefined) session.restoreInbound(packetId, message);
      }
      this.#sessions.set(session.key, session);
      this.#offline++;
      if (!session.remote) this.#scheduleExpiry(session);
    }
    this.#ports.router.restoreRetained(state.retained, messages);
    this.#ports.journal.startAfter(state.lastMessageId);
    for (const { storedId: id, references } of messages.values()) {
      if (references === 0 && this.#ports.peers === undefined) this.#ports.journal.add({ kind: 'message-removed', id });
    }
  }

  /** Makes a session what the store says it is, for the connection that is about to have it. */
  prepare(key: string, state: StoredState): void {
    const known = this.#sessions.get(key);
    if (known !== undefined) this.forget(known);
    const messages = new Map(state.messages.map((stored) => [stored.id, Message.restored(stored)]));
    for (const message of messages.values()) message.shared = true;
    for (const { session: stored, subscriptions, deliveries, inbound } of state.sessions) {
      const session = this.addRemote(stored, subscriptions);
      session.departures = known?.departures ?? 0;
      session.delayedWill = known?.delayedWill;
      for (const delivery of deliveries) {
        const message = messages.get(delivery.messageId);
        if (message !== undefined) session.outbound.restore(delivery, message);
      }
      for (const { packetId, messageId } of inbound) {
        const message = messages.get(messageId);
        if (message !== undefined) session.restoreInbound(packetId, message);
      }
      const { expirySeconds, disconnectedAt } = stored;
      const over = disconnectedAt !== undefined && disconnectedAt + expirySeconds * 1000 <= this.#ports.clock.now();
      if (over && expirySeconds !== NEVER) this.end(session);
    }
  }

  /** A session that another core has, or nobody. */
  addRemote(stored: StoredSession, subscriptions: readonly StoredSubscription[]): Session {
    const session = new Session(stored, this.#ports);
    session.persistent = true;
    session.remote = true;
    session.expirySeconds = stored.expirySeconds;
    session.disconnectedAt = stored.disconnectedAt;
    for (const subscription of subscriptions) this.#restoreSubscription(session, subscription);
    this.#sessions.set(session.key, session);
    this.#offline++;
    return session;
  }

  subscribeRemote(session: Session, stored: StoredSubscription): void {
    this.unsubscribeRemote(session, stored.text);
    this.#restoreSubscription(session, stored);
  }

  unsubscribeRemote(session: Session, text: string): void {
    const subscription = session.subscriptions.get(text);
    if (subscription === undefined) return;
    this.#ports.router.space(session.realm).unsubscribe(subscription);
    session.subscriptions.delete(text);
  }

  /** Lets go of a session that has no connection here, without a word to the store. */
  forget(session: Session): void {
    session.ended = true;
    this.#offline--;
    session.expiryTimer?.cancel();
    session.delayedWill?.timer.cancel();
    const space = this.#ports.router.space(session.realm);
    for (const subscription of session.subscriptions.values()) space.unsubscribe(subscription);
    session.subscriptions.clear();
    this.#sessions.delete(session.key);
  }

  /** Any core may take it up again: what it held in memory is in the store. */
  #leaveToAll(session: Session): void {
    session.remote = true;
    session.dropMemory();
  }

  #savePersistence(session: Session): void {
    if (session.expirySeconds === 0) {
      session.forgetDurably();
      return;
    }
    session.persistent = true;
    this.#ports.journal.add({ kind: 'session-saved', session: session.toStored() });
  }

  #scheduleExpiry(session: Session): void {
    if (session.expirySeconds === NEVER) return;
    const { clock } = this.#ports;
    const dueAt = (session.disconnectedAt ?? clock.now()) + session.expirySeconds * 1000;
    const delayMs = Math.min(Math.max(0, dueAt - clock.now()), MAX_TIMER_SECONDS * 1000);
    session.expiryTimer = clock.after(delayMs, () => {
      if (clock.now() >= dueAt) this.end(session);
      else this.#scheduleExpiry(session);
    });
  }

  #restoreSubscription(session: Session, stored: StoredSubscription): void {
    const parsed = parseTopicFilter(stored.text);
    if (parsed.kind !== 'filter') return;
    const subscription: Subscription = { ...stored, session, filter: parsed.filter, share: parsed.share };
    session.subscriptions.set(stored.text, subscription);
    this.#ports.router.space(session.realm).subscribe(subscription);
  }
}
