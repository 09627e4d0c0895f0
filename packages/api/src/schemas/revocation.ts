import { z } from 'zod';
import { Sha256Hex } from './common.ts';
import { RevocationReason } from './device.ts';

/** Whom a mass revocation reaches: a list, what a claim enrolled, what an authority certified, or everybody. */
export const RevocationTarget = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('devices'), devices: z.array(z.string().min(1).max(128)).min(1).max(100_000) }),
  z.object({ kind: z.literal('claim'), claim: z.string().min(1).max(64) }),
  z.object({ kind: z.literal('issuer'), issuer: Sha256Hex }),
  z.object({ kind: z.literal('tenant') }),
]);

export const PreviewRevocation = z.object({ target: RevocationTarget });

export const RevocationPreview = z.object({
  /** Not revoked yet. */
  devices: z.number().int(),
  certificates: z.number().int(),
  claims: z.number().int(),
  /** Named, and revoked or archived before. */
  already: z.number().int(),
  /** Named, and not in the registry. */
  unknown: z.number().int(),
});
export type RevocationPreview = z.infer<typeof RevocationPreview>;

export const RunRevocation = z.object({
  target: RevocationTarget,
  reason: RevocationReason.default('unspecified'),
  /** Devices as the preview counted them: another number now revokes nobody. */
  expected: z.number().int().min(0),
});

export const MassRevocationOutcome = z.object({
  devices: z.number().int(),
  certificates: z.number().int(),
  claims: z.number().int(),
  /** Rises with every mass revocation: TLS tickets from before it are worth nothing. */
  ticketEpoch: z.number().int(),
  elapsedMs: z.number(),
});
export type MassRevocationOutcome = z.infer<typeof MassRevocationOutcome>;
