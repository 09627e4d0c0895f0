import type { Log } from '@holdfast/kernel';
import type { Message } from './message.ts';
import type { MqttMetrics } from './metrics.ts';
import type { DurableStore, StoreChange, Turn } from './ports.ts';

export interface JournalPorts {
  readonly store: DurableStore;
  readonly turn: Turn;
  readonly log: Log;
  readonly metrics: MqttMetrics;
  /** Gives identities where several cores share the store; without it they are counted here. */
  readonly nextId?: (() => number) | undefined;
}

type Waiter = (durable: boolean) => void;

/** Gathers the durable changes of one turn into one append, and tells those who wait when they are safe. */
export class Journal {
  readonly #ports: JournalPorts;
  #changes: StoreChange[] = [];
  #waiters: Waiter[] = [];
  #nextMessageId = 1;
  #scheduled = false;
  #position = 0;
  readonly #inFlight = new Set<Promise<void>>();

  constructor(ports: JournalPorts) {
    this.#ports = ports;
  }

  /** Grows with every change: compare before and after to know whether something must become durable. */
  get position(): number {
    return this.#position;
  }

  /** Message identities continue after those that were loaded. */
  startAfter(messageId: number): void {
    this.#nextMessageId = messageId + 1;
  }

  /** Identities that are unique over all cores; undefined where this is the only one. */
  get nextId(): (() => number) | undefined {
    return this.#ports.nextId;
  }

  add(change: StoreChange): void {
    this.#changes.push(change);
    this.#position++;
    this.#schedule();
  }

  /** One more durable entry refers to the message; it is stored with the first. */
  keep(message: Message): number {
    if (message.storedId === 0) {
      message.hold();
      message.storedId = this.#ports.nextId?.() ?? this.#nextMessageId++;
      this.add({ kind: 'message-saved', message: message.toStored() });
    }
    message.references++;
    return message.storedId;
  }

  release(message: Message): void {
    message.references--;
    if (message.references > 0 || message.shared) return;
    this.add({ kind: 'message-removed', id: message.storedId });
    message.storedId = 0;
  }

  /** Calls back once every change made so far is durable, or with false when the store failed. */
  whenDurable(waiter: Waiter): void {
    this.#waiters.push(waiter);
    this.#schedule();
  }

  /** Resolves when all that was written is durable or has failed. */
  async settle(): Promise<void> {
    this.#flush();
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#ports.turn.defer(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const changes = this.#changes;
    const waiters = this.#waiters;
    if (changes.length === 0 && waiters.length === 0) return;
    this.#changes = [];
    this.#waiters = [];
    const appended = this.#append(changes, waiters);
    this.#inFlight.add(appended);
    void appended.finally(() => this.#inFlight.delete(appended));
  }

  async #append(changes: readonly StoreChange[], waiters: readonly Waiter[]): Promise<void> {
    const durable = await this.#isDurable(changes);
    for (const waiter of waiters) waiter(durable);
  }

  async #isDurable(changes: readonly StoreChange[]): Promise<boolean> {
    try {
      await this.#ports.store.append(changes);
      return true;
    } catch (error) {
      this.#ports.metrics.storeFailures++;
      this.#ports.log.error('the durable store refused changes', { changes: changes.length, error: String(error) });
      return false;
    }
  }
}
