import { z } from 'zod';
import { Name, ProductName, Timestamp } from './common.ts';

/** Has a fleet, or a part of it, renew its certificates before their time. */
export const StartCampaign = z.object({
  product: ProductName.optional(),
  group: Name.optional(),
  /** Devices whose turn comes, a minute. */
  perMinute: z.number().int().min(1).max(60_000),
});

export const Campaign = z.object({
  id: z.string(),
  state: z.enum(['running', 'stopped', 'done']),
  product: ProductName.optional(),
  group: Name.optional(),
  perMinute: z.number().int(),
  /** Devices whose turn has come. */
  reached: z.number().int(),
  startedAt: Timestamp,
  startedBy: z.string(),
  endedAt: Timestamp.optional(),
});
export type Campaign = z.infer<typeof Campaign>;

export const CampaignDetail = Campaign.extend({
  /** Devices it is for that have a certificate. */
  devices: z.number().int(),
  /** Of these, with one issued since it began. */
  renewed: z.number().int(),
});
export type CampaignDetail = z.infer<typeof CampaignDetail>;

/** What a key has to sign before it is destroyed. */
export const DestructionChallenge = z.object({
  /** Hex. */
  challenge: z.string(),
  until: Timestamp,
});

/** What a device handed over when its key was destroyed, both in base64. */
export const DecommissionDevice = z.object({
  statement: z.string().min(1).max(2048),
  signature: z.string().min(1).max(2048),
});

/** What a device must show at its next connection, told by when it last changed. */
export const Ratchet = z.object({
  takesPart: z.boolean(),
  turns: z.number().int().optional(),
  turnedAt: Timestamp.optional(),
  address: z.string().optional(),
});
export type Ratchet = z.infer<typeof Ratchet>;
