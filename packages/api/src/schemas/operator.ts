import { z } from 'zod';
import { Sha256Hex, Timestamp } from './common.ts';

/**
 * `viewer`, `operator`, `security`: each may do what the one before it may: look; run the fleet; decide who and what is
 * trusted. `factory` stands beside them: it gives new devices their first certificate and nothing else.
 */
export const OperatorRole = z.enum(['viewer', 'operator', 'security', 'factory']);
export type OperatorRole = z.infer<typeof OperatorRole>;

export const Operator = z.object({
  name: z.string(),
  role: OperatorRole,
  state: z.enum(['active', 'revoked']),
  createdAt: Timestamp,
  createdBy: z.string(),
});
export type Operator = z.infer<typeof Operator>;

const CsrPem = z.string().min(1).max(65_536);
const Days = z.number().int().min(1).max(366).optional();

export const CreateOperator = z.object({
  name: z.string().min(1).max(64),
  role: OperatorRole,
  csrPem: CsrPem,
  days: Days,
});

export const CertifyOperator = z.object({ csrPem: CsrPem, days: Days });

/** With its issuers, and the roots the server's own certificate is verified by. */
export const CertifiedOperator = Operator.extend({
  fingerprint: Sha256Hex,
  notAfter: Timestamp,
  certificatePem: z.string(),
  anchorsPem: z.string(),
});
export type CertifiedOperator = z.infer<typeof CertifiedOperator>;

export const ChangeOperatorRole = z.object({ role: OperatorRole });
