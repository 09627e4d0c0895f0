import type { OutgoingMessage, SinkPeer, SinkVerdict } from './sink-peer.ts';

/** One batch at a time, whoever sends: dead letters that are tried again do not run into what is new. */
export class SerialPeer implements SinkPeer {
  readonly #peer: SinkPeer;
  #last: Promise<unknown> = Promise.resolve();

  constructor(peer: SinkPeer) {
    this.#peer = peer;
  }

  get maxMessages(): number {
    return this.#peer.maxMessages;
  }

  send(batch: readonly OutgoingMessage[], signal: AbortSignal): Promise<SinkVerdict> {
    const sent = this.#last.then(() => this.#peer.send(batch, signal));
    this.#last = sent.catch(() => undefined);
    return sent;
  }

  close(): Promise<void> {
    return this.#peer.close();
  }
}
