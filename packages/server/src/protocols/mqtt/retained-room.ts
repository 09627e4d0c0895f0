import type { MqttLimits } from './limits.ts';
import type { Message } from './message.ts';

interface Share {
  count: number;
  bytes: number;
}

/** How much is retained: in all, and by each session that published it. */
export class RetainedRoom {
  readonly #limits: MqttLimits;
  readonly #all: Share = { count: 0, bytes: 0 };
  readonly #shares = new Map<string, Share>();

  constructor(limits: MqttLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#all.count;
  }

  /** Whether a message fits in the place of the one that stands there. */
  fits(message: Message, previous: Message | undefined): boolean {
    const { maxRetainedBytes, maxRetainedBytesPerSession, maxRetainedMessages, maxRetainedPerSession } = this.#limits;
    const all = { count: maxRetainedMessages, bytes: maxRetainedBytes };
    if (!fitsIn(this.#all, all, message, previous)) return false;
    const share = this.#shares.get(message.publisher);
    if (share === undefined || message.publisher === '') return true;
    const own = previous?.publisher === message.publisher ? previous : undefined;
    return fitsIn(share, { count: maxRetainedPerSession, bytes: maxRetainedBytesPerSession }, message, own);
  }

  add(message: Message): void {
    this.#change(message, 1);
  }

  remove(message: Message): void {
    this.#change(message, -1);
  }

  #change({ publisher, size }: Message, sign: 1 | -1): void {
    const share = this.#shares.get(publisher) ?? { count: 0, bytes: 0 };
    for (const each of [this.#all, share]) {
      each.count += sign;
      each.bytes += sign * size;
    }
    if (share.count === 0) this.#shares.delete(publisher);
    else this.#shares.set(publisher, share);
  }
}

function fitsIn(used: Share, limit: Share, message: Message, previous: Message | undefined): boolean {
  const count = used.count + (previous === undefined ? 1 : 0);
  const bytes = used.bytes + message.size - (previous?.size ?? 0);
  return count <= limit.count && bytes <= limit.bytes;
}
