import { concatBytes, type Log, toHoldfastError } from '@holdfast/kernel';
import type { Bus } from '../engines/bus/index.ts';
import type { Turn } from '../protocols/mqtt/index.ts';
import { type Carried, decodeNotes, encodeNote, type Note } from './records.ts';
import type { SealedFrames } from './sealed-frames.ts';

export interface ChannelPorts {
  readonly bus: Bus;
  readonly frames: SealedFrames;
  readonly turn: Turn;
  readonly log: Log;
  /** First tokens of every subject: of this cluster alone. */
  readonly prefix: string;
  readonly nodeId: string;
  readonly onNote: (sender: string, note: Note, carried: Carried) => void;
  /** Something a node said was not heard; `isNew` when it is heard of for the first time. */
  readonly onGap: (sender: string, isNew: boolean) => void;
}

/** A frame is sent when it has this much, at the latest at the end of the turn. */
const FRAME_BYTES = 128 * 1024;

/** Notes to one node or to all, gathered by turn, in order, with what was missed noticed. */
export class Channel {
  readonly #ports: ChannelPorts;
  readonly #waiting = new Map<string, { notes: Uint8Array[]; bytes: number }>();
  /** The last sequence heard, by sender and subject. */
  readonly #heard = new Map<string, number>();
  #scheduled = false;

  constructor(ports: ChannelPorts) {
    this.#ports = ports;
    const { bus, nodeId } = ports;
    for (const subject of [this.#all, this.#inbox(nodeId)]) {
      bus.subscribe(subject, (frame) => this.#hear(subject, frame));
    }
  }

  /** To one node, or to all others. */
  send(to: string | undefined, note: Note, carried?: Carried): void {
    const subject = to === undefined ? this.#all : this.#inbox(to);
    const waiting = this.#waiting.get(subject) ?? { notes: [], bytes: 0 };
    this.#waiting.set(subject, waiting);
    const encoded = encodeNote(note, carried);
    if (waiting.bytes + encoded.length > FRAME_BYTES) this.#flush(subject);
    waiting.notes.push(encoded);
    waiting.bytes += encoded.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#ports.turn.defer(() => this.flush());
  }

  /** Sends what was gathered. */
  flush(): void {
    this.#scheduled = false;
    for (const subject of this.#waiting.keys()) this.#flush(subject);
  }

  /** How many frames a node was sent, for it to notice what it missed last. */
  sentTo(nodeId: string): number {
    return this.#ports.frames.sent(this.#inbox(nodeId));
  }

  /** A node says how many frames it sent here. */
  expect(sender: string, count: number): void {
    const key = keyOf(sender, this.#inbox(this.#ports.nodeId));
    const heard = this.#heard.get(key) ?? 0;
    if (heard >= count) return;
    this.#heard.set(key, count);
    this.#ports.onGap(sender, false);
  }

  forget(sender: string): void {
    for (const subject of [this.#all, this.#inbox(this.#ports.nodeId)]) this.#heard.delete(keyOf(sender, subject));
  }

  get #all(): string {
    return `${this.#ports.prefix}.all`;
  }

  #inbox(nodeId: string): string {
    return `${this.#ports.prefix}.to.${nodeId}`;
  }

  #flush(subject: string): void {
    const waiting = this.#waiting.get(subject);
    if (waiting === undefined || waiting.notes.length === 0) return;
    const content = concatBytes(...waiting.notes);
    waiting.notes = [];
    waiting.bytes = 0;
    this.#ports.bus.publish(subject, this.#ports.frames.seal(subject, content));
  }

  #hear(subject: string, bytes: Uint8Array): void {
    const { frames, log, nodeId, onGap, onNote } = this.#ports;
    try {
      const { content, sender, sequence } = frames.open(subject, bytes);
      if (sender === nodeId) return;
      const key = keyOf(sender, subject);
      const last = this.#heard.get(key);
      // Said before: only whoever runs the bus says things twice.
      if (last !== undefined && sequence <= last) return;
      this.#heard.set(key, sequence);
      if (last === undefined ? subject === this.#all || sequence > 1 : sequence !== last + 1)
        onGap(sender, last === undefined);
      for (const [note, carried] of decodeNotes(content)) onNote(sender, note, carried);
    } catch (error) {
      log.warn('something on the bus could not be read', { subject, code: toHoldfastError(error).code });
    }
  }
}

function keyOf(sender: string, subject: string): string {
  return `${sender} ${subject}`;
}
