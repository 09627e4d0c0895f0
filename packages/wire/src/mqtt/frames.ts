import { HoldfastError } from '@holdfast/kernel';
import { framingLost } from './faults.ts';

/** Gets every whole packet, in order. */
export interface FrameSink {
  /**
   * @param first - the first byte: type and flags.
   * @param bytes - what holds the packet: the chunk itself when the packet lies in one chunk.
   * @param start - where the fixed header begins; `body` where it ends; `end` where the packet ends.
   * @returns false to stop: the splitter then leaves the rest of the chunk to the caller.
   */
  frame(first: number, bytes: Uint8Array, start: number, body: number, end: number): boolean;
}

const FIRST_CAPACITY = 64;

/**
 * Cuts a byte stream into MQTT packets without copying those that lie in one chunk.
 *
 * A packet that spans chunks is gathered in a buffer that grows with what arrived, never with what was announced:
 * a client that announces 256 MiB and sends nothing costs nothing (CVE-2017-7651, CVE-2023-0809).
 */
export class FrameSplitter {
  /** Largest whole packet in bytes; may be raised once a client is admitted. */
  maxPacketSize: number;
  #partial: Uint8Array<ArrayBuffer> | undefined;
  #have = 0;
  /** Whole size of the partial packet, 0 while its header is incomplete. */
  #need = 0;
  #body = 0;

  constructor(maxPacketSize: number) {
    this.maxPacketSize = maxPacketSize;
  }

  /**
   * @returns how many bytes of the chunk were used: all, unless the sink stopped.
   * @throws `communication.mqtt_too_large` for a packet over `maxPacketSize`, as soon as its header says so.
   * @throws `communication.mqtt_framing` for a remaining length of five bytes or longer than needed.
   */
  push(chunk: Uint8Array, sink: FrameSink): number {
    let at = 0;
    if (this.#have > 0) {
      at = this.#fill(chunk);
      if (this.#need === 0 || this.#have < this.#need) return at;
      const whole = this.#partial as Uint8Array;
      const end = this.#need;
      this.#partial = undefined;
      this.#have = 0;
      this.#need = 0;
      if (!sink.frame(whole[0] ?? 0, whole, 0, this.#body, end)) return at;
    }
    while (at < chunk.length) {
      const total = this.#measure(chunk, at, chunk.length);
      if (total === 0 || at + total > chunk.length) {
        this.#keep(chunk, at, total);
        return chunk.length;
      }
      const start = at;
      at += total;
      if (!sink.frame(chunk[start] ?? 0, chunk, start, start + this.#body, at)) return at;
    }
    return at;
  }

  /** The whole size of the packet at `at` and, in `#body`, the size of its header; 0 when the header is cut off. */
  #measure(bytes: Uint8Array, at: number, end: number): number {
    let length = 0;
    let scale = 1;
    for (let index = 1; index <= 4; index++, scale *= 128) {
      if (at + index >= end) return 0;
      const byte = bytes[at + index] ?? 0;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && index > 1) throw framingLost('remaining length', { reason: 'not minimal' });
        this.#body = index + 1;
        return this.#checked(index + 1 + length);
      }
    }
    throw framingLost('remaining length', { reason: 'too long' });
  }

  #checked(size: number): number {
    if (size > this.maxPacketSize) {
      throw new HoldfastError('communication.mqtt_too_large', { size, limit: this.maxPacketSize });
    }
    return size;
  }

  #keep(chunk: Uint8Array, from: number, total: number): void {
    this.#have = chunk.length - from;
    this.#need = total;
    this.#partial = new Uint8Array(Math.max(FIRST_CAPACITY, this.#have));
    this.#partial.set(chunk.subarray(from), 0);
  }

  #fill(chunk: Uint8Array): number {
    let at = 0;
    while (this.#need === 0 && at < chunk.length) {
      this.#append(chunk, at, at + 1);
      at++;
      this.#need = this.#measure(this.#partial as Uint8Array, 0, this.#have);
    }
    if (this.#need === 0) return at;
    const end = Math.min(chunk.length, at + this.#need - this.#have);
    this.#append(chunk, at, end);
    return end;
  }

  #append(chunk: Uint8Array, from: number, to: number): void {
    const needed = this.#have + to - from;
    let partial = this.#partial as Uint8Array<ArrayBuffer>;
    if (needed > partial.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(partial.length * 2, this.#need)));
      grown.set(partial.subarray(0, this.#have));
      partial = grown;
      this.#partial = grown;
    }
    partial.set(chunk.subarray(from, to), this.#have);
    this.#have = needed;
  }
}
