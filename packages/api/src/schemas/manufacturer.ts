import { z } from 'zod';
import { DeviceId, HardwareRevision, ProductName, Sha256Hex, Timestamp } from './common.ts';
import { TemplateName } from './template.ts';

/** What a verification certificate must have as its common name. */
export const RegistrationCode = z.object({ code: z.string() });

/** An authority of another maker; its id is the SHA-256 of its certificate. */
export const Manufacturer = z.object({
  id: Sha256Hex,
  state: z.enum(['active', 'inactive', 'revoked']),
  /** `jitp` registers by the template at the first connection, `jitr` leaves it to an operator. */
  registration: z.enum(['jitp', 'jitr']),
  product: ProductName,
  hardwareRevision: HardwareRevision,
  template: TemplateName.optional(),
  createdAt: Timestamp,
});
export type Manufacturer = z.infer<typeof Manufacturer>;

export const ManufacturerDetail = Manufacturer.extend({
  subject: z.string(),
  notAfter: Timestamp,
  /** Device certificates that wait for an operator, oldest first. */
  pending: z.array(z.object({ fingerprint: Sha256Hex, subject: z.string(), registeredAt: Timestamp })),
});
export type ManufacturerDetail = z.infer<typeof ManufacturerDetail>;

export const RegisterManufacturer = z.object({
  certificatePem: z.string().min(1).max(65_536),
  /** A certificate it issued for the registration code. */
  verificationPem: z.string().min(1).max(65_536),
  /** JITP by this template; without one an operator activates each device (JITR). */
  template: TemplateName.optional(),
  product: ProductName.optional(),
  hardwareRevision: HardwareRevision.optional(),
});

export const ChangeManufacturer = z.object({ state: z.enum(['active', 'inactive']) });

/** Which device a waiting certificate is of: by name, or as a JITP template names it. */
export const ActivateCertificate = z
  .object({ device: DeviceId.optional(), template: TemplateName.optional() })
  .refine(({ device, template }) => (device === undefined) !== (template === undefined), {
    message: 'give a device or a template, one of the two',
  });

export const ActivatedCertificate = z.object({ device: DeviceId, fingerprint: Sha256Hex });

/** One line of a bulk file: the parameters of the template, the request among them. */
export const RegisterThing = z.object({
  parameters: z
    .record(z.string().max(128), z.string().max(16_384))
    .refine((parameters) => Object.keys(parameters).length <= 64, { message: 'at most 64 parameters' }),
});

export const RegisteredThing = z.object({
  /** `already`: the same line registered before; nothing was done twice. */
  kind: z.enum(['registered', 'already']),
  device: DeviceId,
  certificateId: Sha256Hex,
  certificatePem: z.string(),
});
export type RegisteredThing = z.infer<typeof RegisteredThing>;
