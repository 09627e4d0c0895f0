import { type Clock, HoldfastError, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import type { EventHandler, Events, Store, StoredEvent, Subscription } from '@holdfast/trust/ports';
import type { OutboxRepository } from './repositories/log.ts';

const PAGE = 256;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** A store that is back must not wait for events: somebody may have been revoked meanwhile. */
const OUTAGE_PAUSE_MS = 1_000;
/** A cursor may be this late on disk: after a crash the events since are delivered again. */
const CURSOR_DELAY_MS = 1000;
const PRUNE_PERIOD_MS = 3_600_000;
/** A node or page that was away for this long can still resume. */
const KEPT_MS = 7 * 86_400_000;
/** How late an event of another node is when the hint of it was lost. */
const POLL_MS = 1_000;

interface Consumer {
  readonly name: string;
  readonly handler: EventHandler;
  /** The last event handled; undefined until read from the store. */
  at: number | undefined;
  /** What the store knows of `at`. */
  savedAt: number;
  running: Promise<void> | undefined;
  pauseMs: number;
  retry: Timer | undefined;
  closed: boolean;
}

/** A hint that another node may have committed events. It may come too often, or not at all. */
export interface Wake {
  onWake(listener: () => void): void;
}

export interface EventDeliveryPorts {
  readonly repository: OutboxRepository;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Absent where nobody else writes. */
  readonly wake?: Wake | undefined;
}

/** Delivers committed events to named consumers, each at its own pace. */
export class EventDelivery implements Events {
  readonly #ports: EventDeliveryPorts;
  readonly #consumers = new Map<string, Consumer>();
  readonly #prune: Timer;
  readonly #poll: Timer | undefined;
  #polling: Promise<void> | undefined;
  #latest: number;
  #save: Timer | undefined;

  constructor(ports: EventDeliveryPorts, latest: number) {
    this.#ports = ports;
    this.#latest = latest;
    this.#prune = ports.clock.every(PRUNE_PERIOD_MS, () => void this.prune());
    ports.wake?.onWake(() => void this.#lookUp());
    this.#poll = ports.wake && ports.clock.every(POLL_MS, () => void this.#lookUp());
  }

  /** Tells that events up to `sequence` are durable. */
  committed(sequence: number): void {
    if (sequence <= this.#latest) return;
    this.#latest = sequence;
    for (const consumer of this.#consumers.values()) this.#wake(consumer);
  }

  latest(): number {
    return this.#latest;
  }

  since(sequence: number, limit: number): Promise<readonly StoredEvent[]> {
    return this.#ports.repository.since(sequence, limit);
  }

  subscribe(name: string, handler: EventHandler): Subscription {
    if (this.#consumers.has(name)) throw new HoldfastError('kernel.internal', { consumer: name, reason: 'taken' });
    const consumer: Consumer = {
      name,
      handler,
      at: undefined,
      savedAt: 0,
      running: undefined,
      pauseMs: FIRST_PAUSE_MS,
      retry: undefined,
      closed: false,
    };
    this.#consumers.set(name, consumer);
    this.#wake(consumer);
    return { close: () => this.#drop(consumer) };
  }

  /** Resolves when every consumer has handled what is committed, or waits to try again. */
  async settled(): Promise<void> {
    for (const consumer of this.#consumers.values()) while (consumer.running) await consumer.running;
  }

  /** Lets handlers under way end, then keeps every position. */
  async close(): Promise<void> {
    this.#prune.cancel();
    this.#poll?.cancel();
    await this.#polling;
    this.#save?.cancel();
    for (const consumer of this.#consumers.values()) this.#stop(consumer);
    await this.settled();
    await this.#saveCursors();
    this.#consumers.clear();
  }

  /** Drops old events that every subscribed consumer has handled. */
  async prune(): Promise<void> {
    const { repository, store, clock, log } = this.#ports;
    // The newest event stays: the next sequence is counted from it.
    let upTo = this.#latest - 1;
    for (const { savedAt } of this.#consumers.values()) upTo = Math.min(upTo, savedAt);
    try {
      await store.commit([repository.prune(upTo, clock.now() - KEPT_MS)]);
    } catch (error) {
      log.warn('old events were not pruned', { code: toHoldfastError(error).code });
    }
  }

  /** Asks how far the outbox has come; a hint that comes meanwhile is answered by what is read for the first. */
  #lookUp(): Promise<void> {
    this.#polling ??= this.#ports.repository
      .last()
      .then((sequence) => this.committed(sequence))
      .catch(() => undefined)
      .finally(() => {
        this.#polling = undefined;
      });
    return this.#polling;
  }

  #drop(consumer: Consumer): void {
    this.#stop(consumer);
    this.#consumers.delete(consumer.name);
  }

  #stop(consumer: Consumer): void {
    consumer.closed = true;
    consumer.retry?.cancel();
  }

  #wake(consumer: Consumer): void {
    if (consumer.closed || consumer.retry || consumer.running) return;
    consumer.running = this.#run(consumer).finally(() => {
      consumer.running = undefined;
      // An event committed between the last read and now would wait for the next one.
      if (consumer.at !== undefined && consumer.at < this.#latest) this.#wake(consumer);
    });
  }

  async #run(consumer: Consumer): Promise<void> {
    try {
      consumer.at ??= consumer.savedAt = await this.#ports.repository.cursor(consumer.name);
      while (!consumer.closed) {
        const events = await this.#ports.repository.since(consumer.at, PAGE);
        if (events.length === 0) break;
        await this.#handle(consumer, events);
      }
    } catch (error) {
      this.#pause(consumer, error);
    }
  }

  async #handle(consumer: Consumer, events: readonly StoredEvent[]): Promise<void> {
    for (const event of events) {
      if (consumer.closed) return;
      await consumer.handler(event);
      consumer.at = event.sequence;
      consumer.pauseMs = FIRST_PAUSE_MS;
      this.#save ??= this.#ports.clock.after(CURSOR_DELAY_MS, () => void this.#saveCursors());
    }
  }

  #pause(consumer: Consumer, error: unknown): void {
    const { code } = toHoldfastError(error);
    const after = consumer.at ?? 0;
    this.#ports.log.warn('an event was not handled', { consumer: consumer.name, after, code });
    if (consumer.closed) return;
    consumer.retry = this.#ports.clock.after(consumer.pauseMs, () => {
      consumer.retry = undefined;
      this.#wake(consumer);
    });
    const longest = code === 'store.unavailable' ? OUTAGE_PAUSE_MS : LONGEST_PAUSE_MS;
    consumer.pauseMs = Math.min(consumer.pauseMs * 2, longest);
  }

  async #saveCursors(): Promise<void> {
    this.#save = undefined;
    const { repository, store, log } = this.#ports;
    const moved = [...this.#consumers.values()]
      .map((consumer) => ({ consumer, at: consumer.at ?? 0 }))
      .filter(({ consumer, at }) => at > consumer.savedAt);
    if (moved.length === 0) return;
    try {
      await store.commit(moved.map(({ consumer, at }) => repository.moveCursor(consumer.name, at)));
      for (const { consumer, at } of moved) consumer.savedAt = at;
    } catch (error) {
      log.warn('positions of event consumers were not kept', { code: toHoldfastError(error).code });
    }
  }
}
