import { z } from 'zod';
import { DeviceId, Timestamp } from './common.ts';

export const ShadowName = z.string().regex(/^[$a-zA-Z0-9:_-]{1,64}$/);

/** Which shadow of a device; without a name the classic one. */
export const ShadowQuery = z.object({ name: ShadowName.optional() });

const Section = z.record(z.string(), z.json());

export const UpdateShadow = z.object({
  /** Merged attribute by attribute; null removes one, or the whole section. */
  desired: Section.nullable().optional(),
  reported: Section.nullable().optional(),
  /** Refused when the shadow has another version. */
  version: z.number().int().min(0).optional(),
});

export const Shadow = z.object({
  device: DeviceId,
  name: ShadowName.optional(),
  state: z.object({ desired: Section.optional(), reported: Section.optional(), delta: Section.optional() }),
  /** Seconds since the epoch in the place of every value. */
  metadata: z.object({ desired: Section.optional(), reported: Section.optional() }),
  version: z.number().int(),
  changedAt: Timestamp,
});
export type Shadow = z.infer<typeof Shadow>;
