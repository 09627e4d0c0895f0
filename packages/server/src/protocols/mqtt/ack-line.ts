import type { Outbox } from './outbox.ts';

interface Slot {
  packet: Uint8Array | undefined;
}

/**
 * Acknowledgements in the order of what they acknowledge [MQTT-4.6.0-2, 3, 4], although some wait for the durable
 * store and others do not.
 */
export class AckLine {
  readonly #outbox: Outbox;
  #slots: Slot[] = [];

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** How many wait. */
  get length(): number {
    return this.#slots.length;
  }

  /** Sends at once when nothing waits before it. */
  add(packet: Uint8Array): void {
    if (this.#slots.length === 0) this.#outbox.add(packet);
    else this.#slots.push({ packet });
  }

  /** Takes a place in the line; the returned function fills it. */
  reserve(): (packet: Uint8Array) => void {
    const slot: Slot = { packet: undefined };
    this.#slots.push(slot);
    return (packet) => {
      slot.packet = packet;
      this.#advance();
    };
  }

  #advance(): void {
    let ready = 0;
    for (const { packet } of this.#slots) {
      if (packet === undefined) break;
      this.#outbox.add(packet);
      ready++;
    }
    if (ready > 0) this.#slots = this.#slots.slice(ready);
  }
}
