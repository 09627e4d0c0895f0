import { z } from 'zod';

/** RFC 3339 in UTC. */
export const Timestamp = z.iso.datetime();

/** Registry name of a device: 1-128 of `[a-zA-Z0-9:_-]`. */
export const DeviceId = z.string().regex(/^[a-zA-Z0-9:_-]{1,128}$/);

/** A name an operator chooses for a group. */
export const Name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/);

/** Also the name of the product's provisioning template, which AWS bounds to 36 of these. */
export const ProductName = z.string().regex(/^[0-9A-Za-z][0-9A-Za-z_-]{0,35}$/);

export const HardwareRevision = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

/** Semantic version as MCUboot writes it: `major.minor.revision+build`. */
export const FirmwareVersion = z.string().regex(/^\d{1,3}\.\d{1,3}\.\d{1,5}(\+\d{1,10})?$/);

/** Monotonic counter that the device's fuses hold: 0 to 2^32-1. */
export const SecurityCounter = z.number().int().min(0).max(0xffffffff);

export const Sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);

/** Keyset paging: `after` is the `next` of the page before. */
export const PageQuery = z.object({
  after: z.string().max(512).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

export function pageOf<Row extends z.ZodType>(row: Row) {
  return z.object({ rows: z.array(row), next: z.string().optional() });
}

/** RFC 9457 problem with the stable code of docs/errors.md. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  next: z.string().optional(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});
export type Problem = z.infer<typeof Problem>;
