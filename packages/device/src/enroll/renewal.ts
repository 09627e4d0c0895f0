import type { Random } from '@holdfast/kernel';
import type { Validity } from '@holdfast/wire/x509';
import { fraction } from '../net/backoff.ts';

/** Jitter, as part of the certificate's life: a fleet enrolled in one hour does not renew in one. */
const JITTER = 1 / 12;

/** When to renew: at two thirds of the certificate's life, or up to a twelfth of it later. */
export function renewalTime({ notBefore, notAfter }: Validity, random: Random): number {
  return notBefore + (notAfter - notBefore) * (2 / 3 + fraction(random) * JITTER);
}
