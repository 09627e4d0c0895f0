import { equalBytes } from '@holdfast/kernel';
import type { Certificate } from '@holdfast/wire/x509';

const ANY_POLICY = '2.5.29.32.0';

/**
 * Whether a path satisfies the policy constraints in it (RFC 5280 6.1.3 (d)-(f), 6.1.5) for a user who accepts any
 * policy. Mappings are not followed: a path that needs an explicit policy and maps one is refused.
 *
 * @param path - from the certificate below the anchor to the leaf.
 */
export function satisfiesPolicyConstraints(path: readonly Certificate[]): boolean {
  let explicitPolicy = Number.POSITIVE_INFINITY;
  let inhibitAny = Number.POSITIVE_INFINITY;
  let valid: ReadonlySet<string> | 'any' | 'none' = 'any';
  for (const [index, { known, issuer, subject }] of path.entries()) {
    const isLast = index === path.length - 1;
    const isSelfIssued = equalBytes(issuer.raw, subject.raw) && !isLast;
    valid = narrowed(valid, known.certificatePolicies, inhibitAny > 0 || isSelfIssued);
    if (!isSelfIssued && !isLast) [explicitPolicy, inhibitAny] = [lowered(explicitPolicy), lowered(inhibitAny)];
    explicitPolicy = Math.min(explicitPolicy, known.policyConstraints?.requireExplicitPolicy ?? explicitPolicy);
    inhibitAny = Math.min(inhibitAny, known.inhibitAnyPolicy ?? inhibitAny);
    if (known.policyMappings !== undefined) valid = 'none';
    // 6.1.3 (f), and 6.1.5 (a) which lowers once more at the end.
    if (isLast) explicitPolicy = Math.min(lowered(explicitPolicy), explicitPolicy);
    if (explicitPolicy === 0 && valid === 'none') return false;
  }
  return true;
}

function lowered(count: number): number {
  return count > 0 ? count - 1 : 0;
}

function narrowed(
  valid: ReadonlySet<string> | 'any' | 'none',
  policies: readonly string[] | undefined,
  acceptsAny: boolean,
): ReadonlySet<string> | 'any' | 'none' {
  if (valid === 'none' || policies === undefined) return 'none';
  if (policies.includes(ANY_POLICY) && acceptsAny) return valid;
  const named = policies.filter((policy) => policy !== ANY_POLICY && (valid === 'any' || valid.has(policy)));
  return named.length === 0 ? 'none' : new Set(named);
}
