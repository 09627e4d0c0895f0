import type { StoreChange, StoredDelivery, StoredMessage, StoredState } from '../protocols/mqtt/index.ts';

/** Which node has a session. */
export interface SessionLease {
  /** Empty when the node that had it is gone. */
  readonly nodeId: string;
  readonly epoch: number;
}

/** A message that is stored for one session. */
export interface StoredFor {
  readonly key: string;
  readonly delivery: StoredDelivery;
  readonly message: StoredMessage;
}

/** MQTT state that several nodes read and write. Rejections are `store.unavailable` unless said otherwise. */
export interface SharedSessions {
  /** Sessions with their subscriptions, and what is retained; no queue. */
  loadShared(): Promise<StoredState>;
  /** One session with all that belongs to it, or none. */
  loadSession(key: string): Promise<StoredState>;
  /** What waits, unsent, for sessions of a node, or for one of them. */
  loadQueued(nodeId: string, key?: string): Promise<readonly StoredFor[]>;
  lease(key: string): Promise<SessionLease | undefined>;
  /** By session key: of one node, or all. */
  leases(nodeId?: string): Promise<ReadonlyMap<string, SessionLease>>;
  /** @throws `store.conflict` when the lease is not `before` any more. */
  takeLease(key: string, before: SessionLease | undefined, next: SessionLease): Promise<void>;
  /** Forgets a lease, if it is still this one. */
  dropLease(key: string, epoch: number): Promise<void>;
  /**
   * Applies changes as one unit. `epochOf` gives the epoch by which this node has a session, undefined for the others.
   *
   * @throws `store.conflict` when one of the sessions is another node's by now; nothing was applied.
   */
  append(changes: readonly StoreChange[], epochOf: (key: string) => number | undefined): Promise<void>;
  /** Ends sessions that were offline for longer than they last. @returns their keys */
  endExpired(now: number): Promise<readonly string[]>;
  /** Removes messages older than `before`, an identity, that nothing refers to. */
  sweepMessages(before: number): Promise<void>;
  /** A node is gone: its sessions are nobody's, and whatever it still writes of them is refused. */
  orphan(nodeId: string, epoch: number, now: number): Promise<void>;
}

/** A node as it wrote itself down. */
export interface NodeRecord {
  readonly nodeId: string;
  /** 0 to 63, of no other node. */
  readonly slot: number;
  readonly name: string;
  readonly startedAt: number;
  /** Grows while it lives. */
  readonly beats: number;
}

/** Who is there, by what each writes. */
export interface NodeRecords {
  list(): Promise<readonly NodeRecord[]>;
  /** @throws `store.conflict` when the slot is taken. */
  insert(node: NodeRecord): Promise<void>;
  /** @throws `store.conflict` when it was removed. */
  beat(nodeId: string, beats: number): Promise<void>;
  remove(nodeId: string): Promise<void>;
  lease(name: string): Promise<{ readonly nodeId: string; readonly beats: number } | undefined>;
  /** @throws `store.conflict` when it is not `before` any more. */
  takeLease(
    name: string,
    before: { readonly nodeId: string; readonly beats: number } | undefined,
    next: { readonly nodeId: string; readonly beats: number },
  ): Promise<void>;
}
