import type { Transport, Turn } from './ports.ts';

/** Writes what gathered during a turn, one write per connection. */
export class Flusher {
  readonly #turn: Turn;
  #dirty: Outbox[] = [];

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  mark(outbox: Outbox): void {
    if (this.#dirty.push(outbox) === 1) this.#turn.defer(() => this.flush());
  }

  flush(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const outbox of dirty) outbox.flush();
  }
}

/** A write gathers packets until it has about this many bytes, then it goes, turn or no turn. */
const RUN_BYTES = 65_536;

/** The packets of one connection that wait for the end of the turn. */
export class Outbox {
  readonly #transport: Transport;
  readonly #flusher: Flusher;
  readonly #afterFlush: () => void;
  readonly #bytes: Uint8Array[] = [];
  /** Four numbers a packet: start, end, where its packet identifier lies (-1: none), the identifier. */
  readonly #spans: number[] = [];
  #size = 0;
  #written = 0;
  #marked = false;
  #closed = false;

  /** @param afterFlush - called when there may be room again that the transport will not tell of. */
  constructor(transport: Transport, flusher: Flusher, afterFlush: () => void) {
    this.#transport = transport;
    this.#flusher = flusher;
    this.#afterFlush = afterFlush;
  }

  /** Bytes that wait here and in the transport. */
  get unsent(): number {
    return this.#size + this.#transport.bufferedBytes;
  }

  /** Bytes that have left. */
  get taken(): number {
    return this.#written - this.#transport.bufferedBytes;
  }

  add(bytes: Uint8Array): void {
    this.addPacket(bytes, 0, bytes.length, -1, 0);
  }

  addPacket(bytes: Uint8Array, start: number, end: number, packetIdAt: number, packetId: number): void {
    if (this.#closed) return;
    this.#bytes.push(bytes);
    this.#spans.push(start, end, packetIdAt, packetId);
    this.#size += end - start;
    if (!this.#marked) {
      this.#marked = true;
      this.#flusher.mark(this);
    }
    if (this.#size >= RUN_BYTES) this.#write();
  }

  /** The end of a turn. */
  flush(): void {
    if (!this.#marked) return;
    this.#marked = false;
    this.#write();
    this.#afterFlush();
  }

  /** Takes nothing more. */
  close(): void {
    this.#closed = true;
  }

  /** One write. Copies: a small packet must not keep the 64 KiB chunk alive that it came in. */
  #write(): void {
    const count = this.#bytes.length;
    if (count === 0) return;
    const target = Buffer.allocUnsafe(this.#size);
    let to = 0;
    for (let at = 0; at < count; at++) to = this.#copy(at, target, to);
    this.#bytes.length = 0;
    this.#spans.length = 0;
    this.#size = 0;
    this.#written += target.length;
    this.#transport.write(target);
  }

  #copy(index: number, target: Buffer, to: number): number {
    const start = this.#spans[index * 4] ?? 0;
    const end = this.#spans[index * 4 + 1] ?? 0;
    const packetIdAt = this.#spans[index * 4 + 2] ?? -1;
    const bytes = this.#bytes[index];
    if (bytes !== undefined) target.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), to);
    if (packetIdAt >= 0) target.writeUInt16BE(this.#spans[index * 4 + 3] ?? 0, to + packetIdAt - start);
    return to + end - start;
  }
}
