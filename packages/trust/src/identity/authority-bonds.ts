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

/** NewWithOld: the root's key as those who trust a former root can verify it. */
export function crossesOfRoot({ crosses, root }: AuthorityBonds): readonly Authority[] {
  return crosses.filter(({ certificate }) => equalBytes(certificate.spki.raw, root.certificate.spki.raw));
}
