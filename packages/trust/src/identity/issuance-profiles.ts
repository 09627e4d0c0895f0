import type { CertificateProfile as TemplateName } from '@holdfast/wire/x509';
import type { ProductRecord } from '../ports/index.ts';

const DAY_MS = 86_400_000;

/** What the issuing authority signs. */
export type LeafProfile = 'device' | 'claim' | 'server' | 'operator' | 'ocsp-signer';

export interface LeafProfileRow {
  readonly template: TemplateName;
  /** Life of a certificate for which nobody asked for another. */
  readonly lifetimeMs: number;
}

export const LEAF_PROFILES: Readonly<Record<LeafProfile, LeafProfileRow>> = {
  device: { template: 'device-ldevid', lifetimeMs: 90 * DAY_MS },
  claim: { template: 'claim', lifetimeMs: DAY_MS },
  server: { template: 'server', lifetimeMs: 90 * DAY_MS },
  operator: { template: 'operator', lifetimeMs: 90 * DAY_MS },
  'ocsp-signer': { template: 'ocsp-signer', lifetimeMs: 14 * DAY_MS },
};

export const AUTHORITY_PROFILES = {
  root: { title: 'Root CA', lifetimeMs: 20 * 365 * DAY_MS },
  issuing: { title: 'Issuing CA', lifetimeMs: 10 * 365 * DAY_MS },
} as const;

/** How long devices of a product keep a certificate; the profile's life for a product that says nothing. */
export function lifetimeOf(product: ProductRecord | undefined): { readonly lifetimeMs?: number } {
  return product === undefined ? {} : { lifetimeMs: product.certificateDays * DAY_MS };
}
