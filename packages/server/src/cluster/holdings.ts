import type { Clock } from '@holdfast/kernel';
import type { StoreChange } from '../protocols/mqtt/index.ts';

/** How long a node that takes a session may be unknown here. */
const REMEMBERED_MS = 30_000;

/** Kinds of change that only the node that has the session may make. */
const OWNERS: ReadonlySet<StoreChange['kind']> = new Set([
  'session-saved',
  'subscription-saved',
  'subscription-removed',
  'delivery-moved',
  'delivery-removed',
  'inbound-saved',
  'inbound-removed',
]);

/** The session a change is of. */
export function keyOf(change: StoreChange): string | undefined {
  if (change.kind === 'session-saved') return change.session.key;
  return 'key' in change ? change.key : undefined;
}

/** Which sessions this node has, by which epoch, and who has the others, as far as it knows. */
export class Holdings {
  readonly #clock: Clock;
  readonly #nodeId: string;
  readonly #epochs = new Map<string, number>();
  readonly #owners = new Map<string, string>();
  /** Sessions that are about to be connected here. */
  readonly #claiming = new Map<string, { any: boolean }>();
  /** Monotonic ms when something was last stored here for a session that is not connected here. */
  readonly #storedFor = new Map<string, number>();

  constructor(nodeId: string, clock: Clock) {
    this.#nodeId = nodeId;
    this.#clock = clock;
  }

  epochOf(key: string): number | undefined {
    return this.#epochs.get(key);
  }

  has(key: string): boolean {
    return this.#epochs.has(key);
  }

  all(): readonly (readonly [key: string, epoch: number])[] {
    return [...this.#epochs];
  }

  ownerOf(key: string): string | undefined {
    return this.#owners.get(key);
  }

  /** What the store says of who has them. */
  learn(leases: ReadonlyMap<string, { readonly nodeId: string }>): void {
    for (const [key, { nodeId }] of leases) this.#owners.set(key, nodeId);
  }

  /** This node has the session from now on. @returns what tells whether something was missed until it is connected. */
  take(key: string, epoch: number): { any: boolean } {
    const missed = { any: false };
    this.#epochs.set(key, epoch);
    this.#owners.set(key, this.#nodeId);
    this.#claiming.set(key, missed);
    return missed;
  }

  /** The session is connected here, or will not be. */
  settled(key: string, missed: { readonly any: boolean }): void {
    if (this.#claiming.get(key) === missed) this.#claiming.delete(key);
  }

  /** Notes that something came for a session. @returns whether it is about to be connected here */
  missedBy(key: string): boolean {
    const claiming = this.#claiming.get(key);
    if (claiming !== undefined) claiming.any = true;
    return claiming !== undefined;
  }

  /** Another node has it, or nobody. */
  lose(key: string, owner: string): void {
    this.#owners.set(key, owner);
    this.#epochs.delete(key);
  }

  /** The session is over. */
  forget(key: string): void {
    this.#epochs.delete(key);
    this.#owners.delete(key);
  }

  /** Notes that something was stored for a session. @returns whether it is not this node's */
  storesElsewhere(key: string): boolean {
    this.missedBy(key);
    if (this.#epochs.has(key)) return false;
    this.#storedFor.set(key, this.#clock.monotonicMs());
    return true;
  }

  /** Whether something was stored for it lately, when another node was thought to have it. */
  storedLately(key: string): boolean {
    return this.#storedFor.has(key);
  }

  /** Forgets what was stored long ago. */
  tidy(): void {
    const now = this.#clock.monotonicMs();
    for (const [key, at] of this.#storedFor) if (now - at > REMEMBERED_MS) this.#storedFor.delete(key);
  }

  /** Changes that are this node's to make: of sessions it has, of no session, and what it stores for others. */
  permitted(changes: readonly StoreChange[]): readonly StoreChange[] {
    return changes.flatMap((change): readonly StoreChange[] => {
      const key = keyOf(change);
      if (key === undefined || this.#epochs.has(key)) return [change];
      if (change.kind === 'delivery-saved') {
        return [{ ...change, delivery: { ...change.delivery, packetId: 0, state: 'queued' } }];
      }
      return OWNERS.has(change.kind) ? [] : [change];
    });
  }
}
