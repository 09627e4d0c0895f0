import { decodeUtf8, encodeUtf8 } from '@holdfast/kernel';
import type { Bus } from '../engines/bus/index.ts';
import type { ConnectionInfo } from '../protocols/mqtt/index.ts';
import type { TakeoverPlace } from './records.ts';
import type { SealedFrames } from './sealed-frames.ts';

export interface YieldingPorts {
  readonly bus: Bus;
  readonly frames: SealedFrames;
  readonly nodeId: string;
  readonly prefix: string;
  /** Ends the connection of a session here; resolves when what it left is durable. */
  readonly onAsked: (key: string) => Promise<ConnectionInfo | undefined>;
}

interface Question {
  readonly key: string;
  readonly from: string;
}

const WAIT_MS = 1_000;

/** Asks the node that has a session to let go of it, and lets go when asked. */
export class Yielding {
  readonly #ports: YieldingPorts;

  constructor(ports: YieldingPorts) {
    this.#ports = ports;
    ports.bus.respond(this.#subject(ports.nodeId), (frame) => this.#answer(frame));
  }

  /** @returns the connection it had; undefined when it had none, or did not answer in time. */
  async ask(node: string, key: string): Promise<TakeoverPlace | undefined> {
    const { bus, frames, nodeId } = this.#ports;
    const subject = this.#subject(node);
    const question: Question = { key, from: nodeId };
    const answer = await bus.request(subject, frames.seal(subject, encodeUtf8(JSON.stringify(question))), WAIT_MS);
    if (answer === undefined) return undefined;
    const { content } = frames.open(this.#subject(nodeId), answer);
    return (JSON.parse(decodeUtf8(content, 'answer')) as { readonly previous?: TakeoverPlace }).previous;
  }

  async #answer(frame: Uint8Array): Promise<Uint8Array> {
    const { frames, nodeId, onAsked } = this.#ports;
    const { content } = frames.open(this.#subject(nodeId), frame);
    const { from, key } = JSON.parse(decodeUtf8(content, 'question')) as Question;
    const info = await onAsked(key);
    const previous = info && {
      connectionId: info.connectionId,
      remoteAddress: info.address,
      connectedAt: info.connectedAt,
    };
    return frames.seal(this.#subject(from), encodeUtf8(JSON.stringify({ previous })));
  }

  #subject(node: string): string {
    return `${this.#ports.prefix}.ask.${node}`;
  }
}
