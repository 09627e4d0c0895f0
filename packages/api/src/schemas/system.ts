import { z } from 'zod';
import { Sha256Hex, Timestamp } from './common.ts';

export const Listener = z.object({ name: z.string(), address: z.string(), port: z.number().int() });

export const Status = z.object({
  version: z.string(),
  startedAt: Timestamp,
  now: Timestamp,
  tenant: z.string(),
  rootFingerprint: Sha256Hex,
  /** True until a ceremony moves the root key off this machine. */
  rootKeyOnline: z.boolean(),
  releaseRoot: z.object({ threshold: z.number().int(), keys: z.number().int() }),
  listeners: z.array(Listener),
  /** Devices connected, and TLS sessions of devices and claims. */
  counts: z.object({ connected: z.number().int(), sessions: z.number().int() }),
  /** Servers on the same store, this one among them; absent when it is alone. */
  cluster: z
    .object({
      busUp: z.boolean(),
      nodes: z.array(z.object({ name: z.string(), startedAt: Timestamp, self: z.boolean(), leads: z.boolean() })),
    })
    .optional(),
  warnings: z.array(z.object({ code: z.string(), words: z.string() })),
});
export type Status = z.infer<typeof Status>;

export const AuditEntry = z.object({
  sequence: z.number().int(),
  at: Timestamp,
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  leafHash: Sha256Hex,
});
export type AuditEntry = z.infer<typeof AuditEntry>;

export const AuditQuery = z.object({ subject: z.string().max(256).optional(), action: z.string().max(128).optional() });

/** `intact` with what was checked, or the first thing that is wrong. */
export const AuditVerdict = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('intact'), entries: z.number().int(), checkpoints: z.number().int() }),
  z.object({
    kind: z.literal('broken'),
    firstBad: z.object({ sequence: z.number().int(), reason: z.string() }),
  }),
]);
export type AuditVerdict = z.infer<typeof AuditVerdict>;

/** Opens the console once within its life; the token travels in the URL fragment. */
export const ConsoleLink = z.object({ url: z.string(), expiresAt: Timestamp });
export type ConsoleLink = z.infer<typeof ConsoleLink>;

export const OpenSession = z.object({ token: z.string().min(1).max(256) });

/** One server-sent event of `/api/v1/events`; `id` resumes the stream through Last-Event-ID. */
export const LiveEvent = z.object({
  id: z.string(),
  name: z.string(),
  subject: z.string(),
  at: Timestamp,
  data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
export type LiveEvent = z.infer<typeof LiveEvent>;
