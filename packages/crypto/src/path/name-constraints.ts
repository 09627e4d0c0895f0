import { encodeHex } from '@holdfast/kernel';
import {
  attributeTexts,
  type Certificate,
  type GeneralName,
  type NameConstraints,
  normalizedRdns,
  OID,
} from '@holdfast/wire/x509';
import { isHostName, isMailbox, isPresentedDnsName } from './host-names.ts';

type NameKind = GeneralName['kind'];

/** Counts comparisons down, so that constraints times names cannot take quadratic time (x509-limbo nc-dos). */
export interface ComparisonBudget {
  comparisons: number;
}

export type ConstraintVerdict = 'ok' | 'constraint-form' | 'name-form' | 'not-permitted' | 'excluded' | 'budget';

/**
 * Applies one authority's name constraints to one certificate below it (RFC 5280 4.2.1.10, 6.1.4 (b), (c)).
 *
 * A constraint on a kind of name we do not understand refuses every name of that kind.
 */
export function applyConstraints(
  { permitted, excluded }: NameConstraints,
  names: readonly GeneralName[],
  budget: ComparisonBudget,
): ConstraintVerdict {
  const byKind = new Map<NameKind, { permitted: GeneralName[]; excluded: GeneralName[] }>();
  for (const [list, constraints] of [
    ['permitted', permitted],
    ['excluded', excluded],
  ] as const) {
    for (const constraint of constraints) {
      const lists = byKind.get(constraint.kind) ?? { permitted: [], excluded: [] };
      lists[list].push(constraint);
      byKind.set(constraint.kind, lists);
    }
  }
  for (const { kind } of names) {
    const lists = byKind.get(kind);
    budget.comparisons -= lists === undefined ? 0 : lists.permitted.length + lists.excluded.length;
  }
  if (budget.comparisons < 0) return 'budget';
  if (![...permitted, ...excluded].every(isWellFormedConstraint)) return 'constraint-form';
  for (const name of names) {
    const lists = byKind.get(name.kind);
    if (lists === undefined) continue;
    if (!isWellFormedName(name) || !UNDERSTOOD.has(name.kind)) return 'name-form';
    const match = matcherFor(name);
    if (lists.excluded.some((constraint) => match(constraint, 'excluded'))) return 'excluded';
    if (lists.permitted.length > 0 && !lists.permitted.some((constraint) => match(constraint, 'permitted'))) {
      return 'not-permitted';
    }
  }
  return 'ok';
}

/**
 * The names of a certificate that constraints speak about: its SAN, its subject as a directory name, and the subject's
 * emailAddress where the SAN has no mailbox.
 */
export function constrainedNames(certificate: Certificate): GeneralName[] {
  const { subject, known } = certificate;
  const names: GeneralName[] = [...(known.subjectAltName ?? [])];
  if (subject.rdns.length > 0) names.push({ kind: 'directory', name: subject });
  if (!names.some(({ kind }) => kind === 'email')) {
    names.push(...attributeTexts(subject, OID.emailAddress).map((text) => ({ kind: 'email', text }) as const));
  }
  return names;
}

/** Whether a name has the form its kind demands; kinds we do not look into pass. */
export function isWellFormedName(name: GeneralName): boolean {
  if (name.kind === 'dns') return isPresentedDnsName(name.text);
  if (name.kind === 'email') return isMailbox(name.text);
  if (name.kind === 'ip') return name.bytes.length === 4 || name.bytes.length === 16;
  return name.kind !== 'uri' || uriScheme(name.text) !== undefined;
}

const UNDERSTOOD: ReadonlySet<NameKind> = new Set<NameKind>(['dns', 'email', 'uri', 'ip', 'directory']);

type List = 'permitted' | 'excluded';
type Matcher = (constraint: GeneralName, list: List) => boolean;

/** Prepares a name once for comparison with many constraints of its kind. */
function matcherFor(name: GeneralName): Matcher {
  switch (name.kind) {
    case 'dns':
      return dnsMatcher(name.text.toLowerCase());
    case 'email':
      return emailMatcher(name.text);
    case 'uri':
      return uriMatcher(name.text);
    case 'ip':
      return ipMatcher(name.bytes);
    case 'directory': {
      const rdns = normalizedRdns(name.name);
      return (constraint) =>
        constraint.kind === 'directory' && normalizedRdns(constraint.name).every((rdn, index) => rdns[index] === rdn);
    }
    default:
      return (_constraint, list) => list === 'excluded';
  }
}

function dnsMatcher(text: string): Matcher {
  const isWildcard = text.startsWith('*.');
  const base = isWildcard ? text.slice(2) : text;
  return (constraint, list) => {
    if (constraint.kind !== 'dns') return false;
    const tree = constraint.text.toLowerCase();
    if (isWithin(base, tree)) return true;
    // CVE-2025-61727: an asterisk may stand for the very name that is excluded.
    return list === 'excluded' && isWildcard && tree.slice(tree.indexOf('.') + 1) === base;
  };
}

function emailMatcher(text: string): Matcher {
  const at = text.indexOf('@');
  const [local, host] = [text.slice(0, at), text.slice(at + 1).toLowerCase()];
  return (constraint) => {
    if (constraint.kind !== 'email') return false;
    const wanted = constraint.text;
    const wantedAt = wanted.indexOf('@');
    // The local part is the mail host's own affair and compared as it is.
    if (wantedAt >= 0) return wanted.slice(0, wantedAt) === local && wanted.slice(wantedAt + 1).toLowerCase() === host;
    return hostMatches(wanted.toLowerCase(), host);
  };
}

function uriMatcher(text: string): Matcher {
  const host = uriHost(text);
  return (constraint, list) => {
    if (constraint.kind !== 'uri') return false;
    // RFC 5280 4.2.1.10: a constrained URI without a host name is refused.
    if (host === undefined || !isHostName(host)) return list === 'excluded';
    return hostMatches(constraint.text.toLowerCase(), host.toLowerCase());
  };
}

function ipMatcher(address: Uint8Array): Matcher {
  return (constraint) => {
    if (constraint.kind !== 'ip' || constraint.bytes.length !== 2 * address.length) return false;
    const [network, mask] = [constraint.bytes.subarray(0, address.length), constraint.bytes.subarray(address.length)];
    return address.every((octet, n) => (octet & (mask[n] ?? 0)) === ((network[n] ?? 0) & (mask[n] ?? 0)));
  };
}

/** A host, or with a leading dot any host below it. */
function hostMatches(constraint: string, host: string): boolean {
  return constraint.startsWith('.')
    ? host.endsWith(constraint) && host.length > constraint.length
    : host === constraint;
}

function isWithin(name: string, tree: string): boolean {
  return tree === '' || name === tree || name.endsWith(`.${tree}`);
}

function isWellFormedConstraint(constraint: GeneralName): boolean {
  switch (constraint.kind) {
    case 'dns':
      return constraint.text === '' || isHostName(constraint.text);
    case 'email':
      return constraint.text.includes('@') ? isMailbox(constraint.text) : isHostOrDomain(constraint.text);
    case 'uri':
      return isHostOrDomain(constraint.text);
    case 'ip':
      return (constraint.bytes.length === 8 || constraint.bytes.length === 32) && isPrefixMask(constraint.bytes);
    default:
      return true;
  }
}

function isHostOrDomain(text: string): boolean {
  return isHostName(text.startsWith('.') ? text.slice(1) : text);
}

/** The second half is ones, then zeros (RFC 4632). */
function isPrefixMask(bytes: Uint8Array): boolean {
  const mask = BigInt(`0x${encodeHex(bytes.subarray(bytes.length / 2))}`);
  const inverted = (1n << BigInt(4 * bytes.length)) - 1n - mask;
  return (inverted & (inverted + 1n)) === 0n;
}

function uriScheme(text: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):[\x21-\x7e]+$/i.exec(text)?.[1];
}

function uriHost(text: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:@[\]]+)(?::\d*)?(?:[/?#]|$)/i.exec(text)?.[1];
}
