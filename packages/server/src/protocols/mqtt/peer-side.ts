import type { Journal } from './journal.ts';
import { Message } from './message.ts';
import type { PeerMessage } from './peers.ts';
import type { ConnectionInfo, StoreChange, StoredDelivery, StoredMessage, StoredState } from './ports.ts';
import type { Interest } from './interest.ts';
import type { Router } from './router.ts';
import type { SessionTable } from './session-table.ts';

export interface PeerSidePorts {
  readonly sessions: SessionTable;
  readonly router: Router;
  readonly journal: Journal;
  readonly interest: Interest | undefined;
}

/** What other cores may do to this one: everything they tell it comes in here. */
export class PeerSide {
  readonly #ports: PeerSidePorts;

  constructor(ports: PeerSidePorts) {
    this.#ports = ports;
  }

  /** What sessions connected here want, for a core that has not heard of it. */
  wanted(): readonly { readonly realm: string; readonly text: string }[] {
    return this.#ports.interest?.all() ?? [];
  }

  /** A message that another core took in; see `Router.receive`. */
  receive(message: PeerMessage, stored: readonly string[], groups: readonly string[]): void {
    this.#ports.router.receive(new Message(message), new Set(stored), new Set(groups));
  }

  /** A message that another core stored for a session; nothing happens unless it is connected here. */
  take(key: string, delivery: StoredDelivery, stored: StoredMessage): void {
    const session = this.#ports.sessions.get(key);
    if (session?.link === undefined || !session.persistent) return;
    const message = Message.restored(stored);
    message.shared = true;
    session.outbound.take(delivery, message);
  }

  retain(stored: StoredMessage): void {
    this.#ports.router.retainRemote(stored.realm, stored.topic, Message.restored(stored), stored.id);
  }

  /** @param id - when it was removed, in the order of message identities. */
  unretain(realm: string, topic: string, id: number): void {
    this.#ports.router.retainRemote(realm, topic, undefined, id);
  }

  /** A session that is connected elsewhere has changed. */
  apply(change: StoreChange): void {
    const { sessions } = this.#ports;
    if (change.kind === 'session-saved') {
      const known = sessions.get(change.session.key);
      if (known === undefined) sessions.addRemote(change.session, []);
      else if (known.remote) {
        known.expirySeconds = change.session.expirySeconds;
        known.disconnectedAt = change.session.disconnectedAt;
      }
      return;
    }
    if (!('key' in change)) return;
    const session = sessions.get(change.key);
    if (session === undefined || !session.remote) return;
    if (change.kind === 'session-removed') sessions.forget(session);
    else if (change.kind === 'subscription-saved') sessions.subscribeRemote(session, change.subscription);
    else if (change.kind === 'subscription-removed') sessions.unsubscribeRemote(session, change.text);
  }

  /** Makes sessions that are not connected here, and what is retained, what the store says they are. */
  reload(state: StoredState): void {
    const { router, sessions } = this.#ports;
    const stored = new Map(state.sessions.map((each) => [each.session.key, each]));
    for (const session of sessions.all()) if (session.remote && session.link === undefined) sessions.forget(session);
    for (const [key, { session, subscriptions }] of stored) {
      if (sessions.get(key) === undefined) sessions.addRemote(session, subscriptions);
    }
    const messages = new Map(state.messages.map((message) => [message.id, message]));
    const kept = new Set(state.retained.map(({ realm, topic }) => JSON.stringify([realm, topic])));
    for (const { realm, message } of router.retainedAll()) {
      if (!kept.has(JSON.stringify([realm, message.topic]))) {
        router.retainRemote(realm, message.topic, undefined, message.storedId + 1);
      }
    }
    for (const { messageId } of state.retained) {
      const message = messages.get(messageId);
      if (message !== undefined) this.retain(message);
    }
  }

  /** Another core takes the session: its connection here ends in the usual way, and what it left is durable. */
  async yieldSession(key: string): Promise<ConnectionInfo | undefined> {
    const link = this.#ports.sessions.get(key)?.link;
    link?.takeOver();
    await this.#ports.journal.settle();
    return link?.info;
  }

  /** Another core has the session since some time: its connection here ends, and leaves nothing. */
  lose(key: string): void {
    const session = this.#ports.sessions.get(key);
    session?.delayedWill?.timer.cancel();
    if (session === undefined) return;
    session.delayedWill = undefined;
    if (session.link === undefined) return;
    session.remote = true;
    session.link.takeOver();
    session.dropMemory();
    if (!session.persistent) this.#ports.sessions.forget(session);
  }
}
