import { equalBytes } from '@holdfast/kernel';
import type { CertificateRepository, Tenant } from '../ports/index.ts';
import { type Authority, authorityOf } from './authority-founding.ts';

/** The certificates an authority lives by, more than two of them once its root was moved. */
export interface AuthorityBonds {
  /** The first certificate of the issuing key: what is issued, lists and OCSP answers are filed under it for ever. */
  readonly issuing: Authority;
  /** The newest of that key. */
  readonly current: Authority;
  /** Self-signed; signed `current`. */
  readonly root: Authority;
  /** Roots that devices enrolled earlier trust. */
  readonly formerRoots: readonly Authority[];
  /** One root's key certified by another (RFC 4210 4.4). */
  readonly crosses: readonly Authority[];
}

/** Undefined when the tenant has no authority yet. */
export async function loadBonds(
  certificates: Pick<CertificateRepository, 'activeOfProfile' | 'find'>,
  tenant: Tenant,
): Promise<AuthorityBonds | undefined> {
  const ofProfile = async (profile: 'issuing' | 'root' | 'cross') =>
    (await certificates.activeOfProfile(tenant, profile)).map(authorityOf);
  const [issuing, roots, crosses] = [await ofProfile('issuing'), await ofProfile('root'), await ofProfile('cross')];
  const [current] = issuing;
  const rootRecord = current && (await certificates.find(current.record.issuer));
  if (current === undefined || rootRecord === undefined) return undefined;
  const root = authorityOf(rootRecord);
  return {
    issuing: issuing.findLast(({ record }) => record.spkiSha256 === current.record.spkiSha256) ?? current,
    current,
    root,
    formerRoots: roots.filter(({ record }) => record.fingerprint !== root.record.fingerprint),
    crosses,
  };
}

/** The issuing certificate, and NewWithOld: the root's key as those who trust a former root can verify it. */
export function presentedOf({ crosses, current, root }: AuthorityBonds): readonly Uint8Array[] {
  const isOfRoot = ({ certificate }: Authority) => equalBytes(certificate.spki.raw, root.certificate.spki.raw);
  return dersOf([current, ...crosses.filter(isOfRoot)]);
}

/** The roots, the present one first. */
export function anchorsOf({ formerRoots, root }: AuthorityBonds): readonly Uint8Array[] {
  return dersOf([root, ...formerRoots]);
}

/** Every certificate of the issuing key that a device may chain through, and the roots. */
export function trustedOf(bonds: AuthorityBonds): readonly Uint8Array[] {
  const { current, issuing } = bonds;
  return [...dersOf(current === issuing ? [current] : [current, issuing]), ...anchorsOf(bonds)];
}

function dersOf(authorities: readonly Authority[]): readonly Uint8Array[] {
  return authorities.map(({ record }) => record.der);
}
