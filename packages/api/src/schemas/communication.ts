import { z } from 'zod';
import { DeviceId, Timestamp } from './common.ts';

/** AWS policy name. */
export const PolicyName = z.string().regex(/^[\w+=,.@-]{1,128}$/);

export const Policy = z.object({
  name: PolicyName,
  /** AWS IoT policy document, as it was given. */
  document: z.string(),
  version: z.number().int(),
  changedAt: Timestamp,
});
export type Policy = z.infer<typeof Policy>;

export const PutPolicy = z.object({ document: z.string().min(2).max(65_536) });

/** A product names its policies itself; a group or a device is attached to. */
export const PolicyTarget = z.object({ kind: z.enum(['group', 'device']), id: z.string().min(1).max(128) });

export const AccessVerb = z.enum(['connect', 'publish', 'publish-retained', 'subscribe', 'receive']);

export const ExplainAccess = z.object({
  questions: z
    .array(z.object({ verb: AccessVerb, resource: z.string().max(1024) }))
    .min(1)
    .max(1000),
  /** Address the device would come from. */
  from: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1'),
});

/** What would be decided now, and which statement decides. */
export const AccessExplanation = z.object({
  verb: AccessVerb,
  resource: z.string(),
  allowed: z.boolean(),
  /** What the device's posture leaves it. */
  rights: z.enum(['full', 'restricted', 'none']),
  /** Which layer says no: who it is, what was granted to it, or what its posture leaves. */
  deniedBy: z.string().optional(),
  statement: z
    .object({ policy: z.string(), index: z.number().int(), sid: z.string().optional(), effect: z.string() })
    .optional(),
});
export type AccessExplanation = z.infer<typeof AccessExplanation>;

export const DeviceAccess = z.object({ device: DeviceId, answers: z.array(AccessExplanation) });
