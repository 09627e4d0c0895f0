import type {
  DurableStore,
  StoreChange,
  StoredDelivery,
  StoredMessage,
  StoredSession,
  StoredState,
  StoredSubscription,
} from './ports.ts';

interface SessionRows {
  session: StoredSession;
  readonly subscriptions: Map<string, StoredSubscription>;
  readonly deliveries: Map<number, StoredDelivery>;
  readonly inbound: Map<number, number>;
}

/** A store that lasts as long as the process: for a server that is told not to keep anything, and for tests. */
export class MemoryStore implements DurableStore {
  readonly #messages = new Map<number, StoredMessage>();
  readonly #sessions = new Map<string, SessionRows>();
  readonly #retained = new Map<string, { realm: string; topic: string; messageId: number }>();

  load(): Promise<StoredState> {
    return Promise.resolve({
      messages: [...this.#messages.values()],
      lastMessageId: [...this.#messages.keys()].reduce((last, id) => Math.max(last, id), 0),
      sessions: [...this.#sessions.values()].map((rows) => ({
        session: rows.session,
        subscriptions: [...rows.subscriptions.values()],
        deliveries: [...rows.deliveries.values()].sort((a, b) => a.order - b.order),
        inbound: [...rows.inbound].map(([packetId, messageId]) => ({ packetId, messageId })),
      })),
      retained: [...this.#retained.values()],
    });
  }

  append(changes: readonly StoreChange[]): Promise<void> {
    for (const change of changes) this.#apply(change);
    return Promise.resolve();
  }

  #apply(change: StoreChange): void {
    switch (change.kind) {
      case 'session-saved':
        this.#saveSession(change.session);
        return;
      case 'session-removed':
        this.#sessions.delete(change.key);
        return;
      case 'subscription-saved':
        this.#sessions.get(change.key)?.subscriptions.set(change.subscription.text, change.subscription);
        return;
      case 'subscription-removed':
        this.#sessions.get(change.key)?.subscriptions.delete(change.text);
        return;
      case 'message-saved':
        this.#messages.set(change.message.id, change.message);
        return;
      case 'message-removed':
        this.#messages.delete(change.id);
        return;
      case 'delivery-saved':
        this.#sessions.get(change.key)?.deliveries.set(change.delivery.order, change.delivery);
        return;
      case 'delivery-moved':
        this.#moveDelivery(change);
        return;
      case 'delivery-removed':
        this.#sessions.get(change.key)?.deliveries.delete(change.order);
        return;
      case 'retained-saved':
        this.#retained.set(`${change.realm}\0${change.topic}`, change);
        return;
      case 'retained-removed':
        this.#retained.delete(`${change.realm}\0${change.topic}`);
        return;
      case 'inbound-saved':
        this.#sessions.get(change.key)?.inbound.set(change.packetId, change.messageId);
        return;
      case 'inbound-removed':
        this.#sessions.get(change.key)?.inbound.delete(change.packetId);
    }
  }

  #saveSession(session: StoredSession): void {
    const rows = this.#sessions.get(session.key);
    if (rows !== undefined) rows.session = session;
    else {
      const fresh = { session, subscriptions: new Map(), deliveries: new Map(), inbound: new Map() };
      this.#sessions.set(session.key, fresh);
    }
  }

  #moveDelivery(change: Extract<StoreChange, { kind: 'delivery-moved' }>): void {
    const deliveries = this.#sessions.get(change.key)?.deliveries;
    const delivery = deliveries?.get(change.order);
    if (delivery === undefined) return;
    deliveries?.set(change.order, { ...delivery, packetId: change.packetId, state: change.state });
  }
}
