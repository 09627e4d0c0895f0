import { z } from 'zod';
import { DeviceId, Timestamp } from './common.ts';

const Count = z.number().int();

/** One place messages of devices go to, as it stands. */
export const Sink = z.object({
  name: z.string(),
  kind: z.enum(['jsonl', 'webhook', 'nats']),
  filters: z.array(z.string()),
  /** Offset of the next message; rises by one for every spooled message. */
  position: Count,
  /** Spooled messages after it, those of other sinks included. */
  behind: Count,
  /** Since the start of the server, as the next two. */
  delivered: Count,
  buried: Count,
  /** Removed before the sink came to them. */
  skipped: Count,
  deadLetters: Count,
  lastDeliveredAt: Timestamp.optional(),
  failing: z.object({ since: Timestamp, reason: z.string(), attempts: Count }).optional(),
});
export type Sink = z.infer<typeof Sink>;

export const Spool = z.object({
  bytes: Count,
  maxBytes: z.number(),
  /** Offsets: the oldest kept message, and behind the newest. */
  start: Count,
  end: Count,
  /** QoS 0 and server messages for which there was no room. */
  dropped: Count,
  /** QoS 1 messages refused because even the waiting room was full. */
  refused: Count,
  /** Publishers whose acknowledgement waits for room. */
  waiting: Count,
});
export type Spool = z.infer<typeof Spool>;

export const SinkList = z.object({ rows: z.array(Sink), spool: Spool.optional() });

/** As far back as the spool reaches; one of the two. */
export const ReplaySink = z.union([z.strictObject({ offset: Count.min(0) }), z.strictObject({ since: Timestamp })]);

/** A message its sink did not take; what it says is kept sealed and sent when it is tried again. */
export const DeadLetter = z.object({
  id: z.string(),
  device: DeviceId.optional(),
  topic: z.string(),
  bytes: Count,
  attempts: Count,
  reason: z.string(),
  sentAt: Timestamp,
  diedAt: Timestamp,
});
export type DeadLetter = z.infer<typeof DeadLetter>;

export const RetriedLetters = z.object({ delivered: Count, left: Count });
export const DiscardedLetters = z.object({ discarded: Count });
