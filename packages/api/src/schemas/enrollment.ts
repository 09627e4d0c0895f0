import { z } from 'zod';
import { ProductName, Sha256Hex, Timestamp } from './common.ts';

/** One for each serial number, or so many of the claim as a whole. */
export const MintPasswords = z
  .object({
    serials: z.array(z.string().min(1).max(128)).min(1).max(1000).optional(),
    count: z.number().int().min(1).max(1000).optional(),
    /** The claim's own end unless given. */
    expiresInHours: z
      .number()
      .positive()
      .max(24 * 366)
      .optional(),
  })
  .refine((wish) => (wish.serials === undefined) !== (wish.count === undefined), {
    message: 'give serials or a count, one of the two',
  });

/** The only time a password is shown; the user name beside it is the serial number, or the id. */
export const MintedPassword = z.object({
  id: z.string(),
  serial: z.string().optional(),
  password: z.string(),
  expiresAt: Timestamp,
});
export type MintedPassword = z.infer<typeof MintedPassword>;

export const OneTimePassword = z.object({
  id: z.string(),
  serial: z.string().optional(),
  state: z.enum(['open', 'used', 'expired', 'void']),
  createdAt: Timestamp,
  expiresAt: Timestamp,
  usedAt: Timestamp.optional(),
});
export type OneTimePassword = z.infer<typeof OneTimePassword>;

/** A device that asked for a certificate and waits for an operator, or was decided on. */
export const EnrollmentRequest = z.object({
  id: z.string(),
  product: ProductName,
  serial: z.string(),
  claim: z.string(),
  state: z.enum(['waiting', 'approved', 'denied']),
  /** SHA-256 of the key that signed the request, SubjectPublicKeyInfo in DER: compare it with the device's. */
  keySha256: Sha256Hex,
  address: z.string(),
  createdAt: Timestamp,
  expiresAt: Timestamp,
  decidedBy: z.string().optional(),
});
export type EnrollmentRequest = z.infer<typeof EnrollmentRequest>;

/** What enrolling a product's devices asks. */
export const EnrollmentTerms = z.object({
  /** `operator`: a device waits until an operator has approved it. */
  approval: z.enum(['automatic', 'operator']),
  /** Where the server may make keys: nowhere, where AWS IoT has it, or at every door. */
  serverKeys: z.enum(['never', 'aws', 'everywhere']),
  /** Whether a request over TLS 1.2 must be bound to its connection (RFC 7030 3.5). */
  binding: z.enum(['if-present', 'required']),
});
export type EnrollmentTerms = z.infer<typeof EnrollmentTerms>;

export const SetEnrollmentTerms = EnrollmentTerms.partial().refine((terms) => Object.keys(terms).length > 0, {
  message: 'give at least one of approval, serverKeys and binding',
});
