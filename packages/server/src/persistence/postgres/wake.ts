import type { Clock, Timer } from '@holdfast/kernel';
import type { Client, ClientConfig } from 'pg';
import type { Wake } from '../event-delivery.ts';
import { connect } from './connect.ts';

const RETRY_MS = 1_000;

/** Listens for the notice every commit with events gives. It may be lost: reading by time makes up for it. */
export class PostgresWake implements Wake {
  readonly #config: ClientConfig;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  #client: Client | undefined;
  #retry: Timer | undefined;
  #closed = false;

  constructor(config: ClientConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  onWake(listener: () => void): void {
    this.#listeners.add(listener);
  }

  async open(): Promise<void> {
    this.#retry = undefined;
    try {
      const client = await connect(this.#config);
      this.#client = client;
      client.on('notification', () => this.#tell());
      client.once('end', () => this.#lost());
      await client.query('LISTEN holdfast_events');
      if (this.#closed) await client.end();
      // What was said while nobody listened.
      this.#tell();
    } catch {
      this.#lost();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    await this.#client?.end().catch(() => undefined);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #lost(): void {
    if (this.#closed) return;
    this.#retry ??= this.#clock.after(RETRY_MS, () => void this.open());
  }
}
