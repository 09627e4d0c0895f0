import { type Log, toHoldfastError } from '@holdfast/kernel';
import type { PeerSide } from '../protocols/mqtt/index.ts';
import type { Holdings } from './holdings.ts';
import type { SharedSessions, StoredFor } from './ports.ts';

export interface CatchUpPorts {
  readonly nodeId: string;
  readonly sessions: SharedSessions;
  readonly holdings: Holdings;
  readonly log: Log;
  /** Undefined until this node serves. */
  readonly side: () => PeerSide | undefined;
}

/** Reads from the store what the bus did not bring. */
export class CatchUp {
  readonly #ports: CatchUpPorts;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(ports: CatchUpPorts) {
    this.#ports = ports;
  }

  /** Everything; asked for meanwhile, it is done once more afterwards. */
  all(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.look(true).finally(() => {
      this.#running = undefined;
      if (!this.#again) return;
      this.#again = false;
      void this.all();
    });
    return this.#running;
  }

  /** Sessions that are elsewhere by now and what waits; with `whole` also sessions that came, and what is retained. */
  async look(whole: boolean): Promise<void> {
    const { holdings, log, sessions, side } = this.#ports;
    try {
      await this.#checkLeases();
      if (whole) {
        holdings.learn(await sessions.leases());
        side()?.reload(await sessions.loadShared());
      }
      await this.waiting();
    } catch (error) {
      log.warn('what other nodes stored could not be read', { code: toHoldfastError(error).code });
    }
  }

  /** What waits for one session, or for all that this node has. */
  async waiting(key?: string): Promise<void> {
    const { log, nodeId, sessions } = this.#ports;
    try {
      // After what this node itself has under way: a message that was just acknowledged is not read again.
      await sessions.append([], () => undefined);
      for (const each of await sessions.loadQueued(nodeId, key)) this.take(each);
    } catch (error) {
      log.warn('what waits in the store could not be read', { code: toHoldfastError(error).code });
    }
  }

  take({ delivery, key, message }: StoredFor): void {
    const { holdings, side } = this.#ports;
    holdings.missedBy(key);
    if (holdings.has(key)) side()?.take(key, delivery, message);
  }

  /** Another node has the session, or nobody: its connection here ends. */
  lose(key: string, owner: string): void {
    this.#ports.holdings.lose(key, owner);
    this.#ports.side()?.lose(key);
  }

  async #checkLeases(): Promise<void> {
    const { holdings, nodeId, sessions } = this.#ports;
    // Of before: what is taken while the store is read is not in what it says.
    const held = holdings.all();
    const mine = await sessions.leases(nodeId);
    for (const [key, epoch] of held) {
      if (mine.get(key)?.epoch !== epoch && holdings.epochOf(key) === epoch) this.lose(key, '');
    }
  }
}
