import { type Clock, HoldfastError, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import type { NodeRecord, NodeRecords } from './ports.ts';

export interface MembershipPorts {
  readonly records: NodeRecords;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeId: string;
  /** For operators: host and port. */
  readonly name: string;
  /** Called by the one that leads, at least once for a node that ended without a word. */
  readonly onDead: (nodeId: string) => Promise<void>;
  /** This node was taken for dead, and is in the list again under another slot: it may have lost its sessions. */
  readonly onRevived: (slot: number) => void;
}

const SLOTS = 64;
const BEAT_MS = 2_000;
/** A node whose beat stands still for so long is dead. */
const DEAD_MS = 15_000;
/** Who leads may think so for this long after it last said so; others wait longer. */
const LEAD_MS = 8_000;
const LEADER = 'leader';

interface Seen {
  readonly beats: number;
  /** Monotonic ms when it last changed. */
  readonly at: number;
}

/** The nodes on this store, and which one does what must be done once. Nobody's wall clock counts, only what stands still. */
export class Membership {
  readonly #ports: MembershipPorts;
  readonly #seen = new Map<string, Seen>();
  readonly #startedAt: number;
  #nodes: readonly NodeRecord[] = [];
  #slot = 0;
  #leader: string | undefined;
  #beats = 1;
  #leadsUntil = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #beating: Promise<void> | undefined;

  constructor(ports: MembershipPorts) {
    this.#ports = ports;
    this.#startedAt = ports.clock.now();
  }

  /** @throws `store.unavailable`, `server.bad_config` when there are too many nodes. */
  async start(): Promise<void> {
    await this.#register();
    await this.#look();
    this.#timer = this.#ports.clock.every(BEAT_MS, () => void this.beat());
  }

  get slot(): number {
    return this.#slot;
  }

  /** Whether this node does what one does for all. False as soon as another may. */
  get leads(): boolean {
    return this.#ports.clock.monotonicMs() < this.#leadsUntil;
  }

  /** Who led when last asked. */
  get leader(): string | undefined {
    return this.#leader;
  }

  /** As last read. */
  nodes(): readonly NodeRecord[] {
    return this.#nodes;
  }

  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /** Leaves the list, and the lead to whoever comes first. */
  async close(): Promise<void> {
    const { nodeId, records } = this.#ports;
    this.#timer?.cancel();
    await this.#beating;
    const led = this.leads;
    this.#leadsUntil = Number.NEGATIVE_INFINITY;
    try {
      const lease = led ? await records.lease(LEADER) : undefined;
      if (lease?.nodeId === nodeId) await records.takeLease(LEADER, lease, { nodeId: '', beats: lease.beats + 1 });
      await records.remove(nodeId);
    } catch (error) {
      this.#ports.log.warn('this node could not leave the list', { code: toHoldfastError(error).code });
    }
  }

  async #beat(): Promise<void> {
    const { log, nodeId, onRevived, records } = this.#ports;
    try {
      this.#beats++;
      const revived = await records.beat(nodeId, this.#beats).then(
        () => false,
        (error: unknown) => {
          if (!isConflict(error)) throw error;
          return true;
        },
      );
      if (revived) {
        await this.#register();
        onRevived(this.#slot);
      }
      await this.#look();
    } catch (error) {
      log.warn('this node could not say that it lives', { code: toHoldfastError(error).code });
    }
  }

  async #register(): Promise<void> {
    const { name, nodeId, records } = this.#ports;
    for (let attempt = 0; attempt < SLOTS; attempt++) {
      const taken = new Set((await records.list()).map(({ slot }) => slot));
      const slot = Array.from({ length: SLOTS }, (_, at) => at).find((at) => !taken.has(at));
      if (slot === undefined) break;
      try {
        await records.insert({ nodeId, slot, name, startedAt: this.#startedAt, beats: this.#beats });
        this.#slot = slot;
        return;
      } catch (error) {
        // Two came at once; one of them takes the next slot.
        if (!isConflict(error)) throw error;
      }
    }
    throw new HoldfastError('server.bad_config', { field: 'bus', reason: 'too many nodes', limit: SLOTS });
  }

  async #look(): Promise<void> {
    const { clock, nodeId, onDead, records } = this.#ports;
    this.#nodes = await records.list();
    await this.#lead();
    const now = clock.monotonicMs();
    for (const node of this.#nodes) {
      if (node.nodeId === nodeId || !this.#standsStill(node.nodeId, node.beats, DEAD_MS) || !this.leads) continue;
      await onDead(node.nodeId);
      await records.remove(node.nodeId);
    }
    const known = new Set([LEADER, ...this.#nodes.map((node) => node.nodeId)]);
    for (const [id, { at }] of this.#seen) if (!known.has(id) && now - at > DEAD_MS) this.#seen.delete(id);
  }

  async #lead(): Promise<void> {
    const { clock, nodeId, records } = this.#ports;
    const askedAt = clock.monotonicMs();
    const lease = await records.lease(LEADER);
    this.#leader = lease?.nodeId;
    const isFree = lease === undefined || lease.nodeId === '' || this.#standsStill(LEADER, lease.beats, DEAD_MS);
    if (lease?.nodeId !== nodeId && !isFree) return;
    try {
      await records.takeLease(LEADER, lease, { nodeId, beats: (lease?.beats ?? 0) + 1 });
      this.#leadsUntil = askedAt + LEAD_MS;
      this.#leader = nodeId;
    } catch (error) {
      if (!isConflict(error)) throw error;
      this.#leadsUntil = Number.NEGATIVE_INFINITY;
    }
  }

  #standsStill(id: string, beats: number, forMs: number): boolean {
    const now = this.#ports.clock.monotonicMs();
    const seen = this.#seen.get(id);
    if (seen?.beats === beats) return now - seen.at >= forMs;
    this.#seen.set(id, { beats, at: now });
    return false;
  }
}

function isConflict(error: unknown): boolean {
  return HoldfastError.is(error) && error.code === 'store.conflict';
}
