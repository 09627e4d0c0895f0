import type { EpochMs } from '@holdfast/kernel';
import type { Qos } from '@holdfast/wire/mqtt';

/** A message as a peer is told it; `json` is the same, ready to be written. */
export interface OutgoingMessage {
  /** The same at every attempt and every replay. */
  readonly id: string;
  readonly offset: number;
  readonly topic: string;
  readonly deviceId: string | undefined;
  readonly qos: Qos;
  readonly at: EpochMs;
  readonly json: string;
}

/** What became of a batch. */
export type SinkVerdict =
  /** The peer has all of it for good. */
  | { readonly kind: 'taken' }
  /** The peer could not take it now. */
  | { readonly kind: 'later'; readonly reason: string; readonly retryAfterMs?: number }
  /** The peer does not want it: one message of it, or all. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Where a sink's messages go. Reasons are words of ours, never what a peer answered. */
export interface SinkPeer {
  /** Messages a batch may hold. */
  readonly maxMessages: number;
  /** All or nothing as far as the peer lets it; what is not sure to have arrived is `later`. */
  send(batch: readonly OutgoingMessage[], signal: AbortSignal): Promise<SinkVerdict>;
  close(): Promise<void>;
}
