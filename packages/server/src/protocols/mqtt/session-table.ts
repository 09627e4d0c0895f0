import type { Clock } from '@holdfast/kernel';
import { parseTopicFilter, type Will } from '@holdfast/wire/mqtt';
import type { Journal } from './journal.ts';
import type { MqttLimits } from './limits.ts';
import { Message } from './message.ts';
import type { MqttMetrics } from './metrics.ts';
import type { ConnectionInfo, MqttObserver, MqttPrincipal, StoredState, StoredSubscription } from './ports.ts';
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
    this.#endPrevious(key, link.info);
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
    this.#savePersistence(session);
    return { session, present };
  }

  /** A connection has left its session; `will` when its last words are due. */
  detach(session: Session, will: { readonly will: Will; readonly principal: MqttPrincipal } | undefined): void {
    session.link = undefined;
    this.#offline++;
    if (will !== undefined) this.#ports.wills.connectionLost(session, will.will, will.principal);
    if (session.ended) return;
    const crowded = this.#offline > this.#ports.limits.maxOfflineSessions;
    if (session.expirySeconds === 0 || crowded) {
      this.end(session);
      return;
    }
    session.disconnectedAt = this.#ports.clock.now();
    this.#ports.journal.add({ kind: 'session-saved', session: session.toStored() });
    this.#scheduleExpiry(session);
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
      session.expirySeconds = stored.expirySeconds;
      session.disconnectedAt = stored.disconnectedAt ?? this.#ports.clock.now();
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
      this.#scheduleExpiry(session);
    }
    this.#ports.router.restoreRetained(state.retained, messages);
    this.#ports.journal.startAfter(state.lastMessageId);
    for (const { storedId: id, references } of messages.values()) {
      if (references === 0) this.#ports.journal.add({ kind: 'message-removed', id });
    }
  }

  #endPrevious(key: string, next: ConnectionInfo): void {
    const previous = this.#sessions.get(key)?.link;
    if (previous === undefined) return;
    this.#ports.metrics.takeOvers++;
    this.#ports.observer.takenOver?.(previous.info, next);
    previous.takeOver();
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
