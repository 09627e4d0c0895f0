import { z } from 'zod';
import { Sha256Hex, Timestamp } from './common.ts';

const Pem = z
  .string()
  .min(1)
  .max(256 * 1024);

/** One certificate of the authorities. */
export const AuthorityCertificate = z.object({
  fingerprint: Sha256Hex,
  role: z.enum(['root', 'former-root', 'issuing', 'cross']),
  subject: z.string(),
  issuer: z.string(),
  notAfter: Timestamp,
});
export type AuthorityCertificate = z.infer<typeof AuthorityCertificate>;

export const Authority = z.object({
  rootFingerprint: Sha256Hex,
  /** False once every root key that devices trust is somewhere else. */
  rootKeyOnline: z.boolean(),
  certificates: z.array(AuthorityCertificate),
});
export type Authority = z.infer<typeof Authority>;

/** A PKCS#10 request by the issuing key and the root in force, both PEM, to be carried to the ceremony. */
export const AuthorityRequest = z.object({ pem: Pem, keyFingerprint: Sha256Hex, rootFingerprint: Sha256Hex });
export type AuthorityRequest = z.infer<typeof AuthorityRequest>;

export const InstallAuthority = z.object({
  /** Issuing certificate, root and OldWithNew, in any order. */
  pem: Pem,
  /** As it was read where the ceremony was held. */
  rootFingerprint: Sha256Hex,
});

export const DestroyRootKey = z.object({ rootFingerprint: Sha256Hex });
