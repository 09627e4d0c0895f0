import { z } from 'zod';
import { Timestamp } from './common.ts';
import { ImageKeyKind } from './product.ts';

/** One key of a product's set. */
export const ProductKey = z.object({
  id: z.string(),
  /** Its place on the chip, from 0. */
  slot: z.number().int(),
  /** `next`: in new devices, signs nothing yet. `active`: signs. `former`: still accepted. `revoked`: accepted no more. */
  state: z.enum(['next', 'active', 'former', 'revoked']),
  /** `offline`: the private half never comes here. */
  custody: z.enum(['sealed', 'offline']),
  publicKeyPem: z.string(),
  /** MCUboot's KEYHASH in hex. */
  keyHash: z.string(),
  addedAt: Timestamp,
});
export type ProductKey = z.infer<typeof ProductKey>;

/** A key that is made here, or the public half of one that is not. */
export const AddProductKey = z
  .object({ kind: ImageKeyKind.optional(), publicKeyPem: z.string().max(8192).optional() })
  .refine((key) => key.kind === undefined || key.publicKeyPem === undefined, {
    message: 'give a kind or a public key, one of the two',
  });

export const RotateProductKey = z.object({
  /** The one key that is next unless given. */
  key: z.string().optional(),
  reason: z.string().min(1).max(256),
  /** Rotate though devices in the field do not hold the key: they take no update any more. */
  strand: z.boolean().optional(),
});

export const RevokeProductKey = z.object({ reason: z.string().min(1).max(256) });
