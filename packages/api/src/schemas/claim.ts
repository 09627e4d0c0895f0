import { z } from 'zod';
import { HardwareRevision, Name, ProductName, Timestamp } from './common.ts';
import { TemplateName } from './template.ts';

export const ClaimState = z.enum(['active', 'exhausted', 'expired', 'cancelled']);

export const Claim = z.object({
  id: z.string(),
  product: ProductName,
  /** Whether it may register listed serial numbers only, or any up to the limit. */
  scope: z.enum(['serials', 'quota']),
  limit: z.number().int(),
  used: z.number().int(),
  autoRegister: z.boolean(),
  state: ClaimState,
  createdAt: Timestamp,
  expiresAt: Timestamp,
  /** The provisioning template its devices are registered by. */
  template: TemplateName.optional(),
});
export type Claim = z.infer<typeof Claim>;

/** Serials or a quota, never neither: an unlimited claim would be a master key. */
export const CreateClaim = z
  .object({
    product: ProductName,
    hardwareRevision: HardwareRevision.optional(),
    serials: z.array(z.string().min(1).max(128)).min(1).max(100_000).optional(),
    quota: z.number().int().min(1).max(1_000_000).optional(),
    /** Whether a serial that the registry does not know yet is added to it. */
    autoRegister: z.boolean().default(true),
    groups: z.array(Name).max(64).default([]),
    expiresInHours: z
      .number()
      .positive()
      .max(24 * 366)
      .default(24),
    /** A fleet template of the product. */
    template: TemplateName.optional(),
    /** For one device in somebody's hand: five minutes and a quota of one unless serials or a quota are given. */
    trustedUser: z.boolean().default(false),
  })
  .refine(
    ({ serials, quota, trustedUser }) =>
      (serials === undefined) !== (quota === undefined) || (trustedUser && serials === undefined),
    { message: 'give serials or a quota, one of the two' },
  );

/** The only time the claim's key is shown; it is not kept. */
export const CreatedClaim = Claim.extend({ certificatePem: z.string(), privateKeyPem: z.string() });
export type CreatedClaim = z.infer<typeof CreatedClaim>;
