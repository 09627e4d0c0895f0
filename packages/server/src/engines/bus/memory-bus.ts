import type { Bus, BusListener, BusResponder, BusState } from './bus.ts';

/** Connects nodes that run in one process. Each message comes in a turn of its own, in order. */
export class MemoryHub {
  readonly #listeners = new Map<string, Set<readonly [MemoryBus, BusListener]>>();
  readonly #responders = new Map<string, readonly [MemoryBus, BusResponder]>();

  connect(): MemoryBus {
    return new MemoryBus(this);
  }

  listen(bus: MemoryBus, subject: string, listener: BusListener): void {
    const listeners = this.#listeners.get(subject) ?? new Set();
    listeners.add([bus, listener]);
    this.#listeners.set(subject, listeners);
  }

  answer(bus: MemoryBus, subject: string, responder: BusResponder): void {
    this.#responders.set(subject, [bus, responder]);
  }

  deliver(from: MemoryBus, subject: string, bytes: Uint8Array): void {
    for (const [bus, listener] of this.#listeners.get(subject) ?? []) {
      if (bus === from) continue;
      const copy = bytes.slice();
      queueMicrotask(() => {
        if (bus.state.up) listener(copy);
      });
    }
  }

  async ask(subject: string, bytes: Uint8Array): Promise<Uint8Array | undefined> {
    const [bus, responder] = this.#responders.get(subject) ?? [];
    return bus?.state.up === true ? responder?.(bytes.slice()).catch(() => undefined) : undefined;
  }
}

/** The bus of a server that is alone, and of nodes in one process. */
export class MemoryBus implements Bus {
  readonly maxBytes = 1_048_576;
  readonly #hub: MemoryHub;
  readonly #changed = new Set<(up: boolean) => void>();
  #up = true;
  #dropped = 0;

  constructor(hub: MemoryHub = new MemoryHub()) {
    this.#hub = hub;
  }

  get state(): BusState {
    return { up: this.#up, dropped: this.#dropped };
  }

  publish(subject: string, bytes: Uint8Array): void {
    if (this.#up) this.#hub.deliver(this, subject, bytes);
    else this.#dropped++;
  }

  subscribe(subject: string, listener: BusListener): void {
    this.#hub.listen(this, subject, listener);
  }

  respond(subject: string, responder: BusResponder): void {
    this.#hub.answer(this, subject, responder);
  }

  async request(subject: string, bytes: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#up ? this.#hub.ask(subject, bytes) : undefined;
  }

  onChange(listener: (up: boolean) => void): void {
    this.#changed.add(listener);
  }

  /** Cuts it off from the others, or joins it to them again. */
  set(up: boolean): void {
    this.#up = up;
    for (const listener of this.#changed) listener(up);
  }

  async close(): Promise<void> {
    this.#up = false;
  }
}
