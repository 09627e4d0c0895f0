import { z } from 'zod';
import { ProductName, Timestamp } from './common.ts';

export const TemplateName = z.string().regex(/^[0-9A-Za-z_-]{1,36}$/);

/** What a registration has to keep besides the policy tables. */
export const ProvisioningRule = z.strictObject({
  serials: z.array(z.string().min(1).max(128)).min(1).max(100_000).optional(),
  /** By parameter, a regular expression for the whole of its value; groups are not repeated, two repeats at most. */
  parameters: z.record(z.string().max(128), z.string().max(256)).optional(),
  /** Most registrations of the template, ever. */
  maxDevices: z.number().int().min(1).max(1_000_000).optional(),
});

/** Whom to ask before a registration: HTTPS, five seconds, signed as Standard Webhooks has it. */
export const ProvisioningWebhook = z.strictObject({
  url: z.string().max(2048),
  /** PEM of the authorities its server is verified by; those of the system unless given. */
  caPem: z.string().max(65_536).optional(),
});

export const ProvisioningTemplate = z.object({
  name: TemplateName,
  /** `fleet` for claims; `jitp` for registered authorities and bulk. */
  kind: z.enum(['fleet', 'jitp']),
  product: ProductName,
  /** The version in force. */
  version: z.number().int(),
  body: z.string(),
  rule: ProvisioningRule.optional(),
  webhook: ProvisioningWebhook.optional(),
  /** Registrations so far. */
  used: z.number().int(),
  createdAt: Timestamp,
  changedAt: Timestamp,
});
export type ProvisioningTemplate = z.infer<typeof ProvisioningTemplate>;

export const KeptTemplate = ProvisioningTemplate.extend({
  /** `whsec_` and base64, when a webhook was set: shown this once. */
  webhookSecret: z.string().optional(),
});
export type KeptTemplate = z.infer<typeof KeptTemplate>;

export const TemplateVersion = z.object({
  version: z.number().int(),
  body: z.string(),
  createdAt: Timestamp,
  createdBy: z.string(),
});

export const TemplateVersions = z.object({ rows: z.array(TemplateVersion) });

const Body = z.string().min(2).max(10_240);

export const CreateTemplate = z.object({
  name: TemplateName,
  kind: z.enum(['fleet', 'jitp']).default('fleet'),
  product: ProductName,
  /** The AWS document, as text. */
  body: Body,
  rule: ProvisioningRule.optional(),
  webhook: ProvisioningWebhook.optional(),
});

/** What is left out stays; null takes a rule or a webhook away. */
export const UpdateTemplate = z.object({
  body: Body.optional(),
  rule: ProvisioningRule.nullable().optional(),
  webhook: ProvisioningWebhook.nullable().optional(),
});
