import type { ConnectionInfo, StoredMessage, StoredState } from './ports.ts';

/** A message as other cores get it. */
export type PeerMessage = Omit<StoredMessage, 'id'>;

export interface Forwarding {
  /** Sessions that are connected elsewhere and get it by way of the store. */
  readonly stored: readonly string[];
  /** Shared subscriptions that a member here has served already, as subscribed. */
  readonly served: ReadonlySet<string>;
}

/**
 * The other cores that serve the same realms from the same store.
 *
 * Every core knows every session that outlives its connection, with its subscriptions: whoever takes a message in
 * stores it for all of them, wherever they are connected. What need not be stored goes to the cores that want it.
 */
export interface Peers {
  /** Unique over all cores, growing in each, and roughly in order of time over all. */
  nextId(): number;
  /**
   * Gives a session to this core. Whoever had it has ended its connection and can write nothing of it any more.
   *
   * @returns what is stored of the session: one, or none.
   * @throws `store.unavailable`, `store.conflict`
   */
  claim(next: ConnectionInfo): Promise<StoredState>;
  /** A session is over and nothing of it is left. */
  release(sessionKey: string): void;
  /** Sessions connected here begin or cease to want what a filter matches; `text` as subscribed. */
  wanted(realm: string, text: string, wanted: boolean): void;
  /** @returns whether anybody elsewhere wants it, and the shared subscriptions that are served there. */
  forward(
    message: PeerMessage,
    forwarding: Forwarding,
  ): { readonly wanted: boolean; readonly served: ReadonlySet<string> };
}
