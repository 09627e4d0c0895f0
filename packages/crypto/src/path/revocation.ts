import { equalBytes } from '@holdfast/kernel';
import {
  type Certificate,
  type CertificateList,
  type GeneralName,
  normalizedName,
  OID,
  type RevokedEntry,
} from '@holdfast/wire/x509';

export type RevocationVerdict = 'good' | 'revoked' | 'undetermined' | 'no-list';

/** Whether the issuer signed a list; the caller counts the work. */
export type ListSignatureCheck = (list: CertificateList, issuer: Certificate) => boolean;

const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.authorityKeyIdentifier,
  OID.crlNumber,
  OID.deltaCrlIndicator,
  OID.issuingDistributionPoint,
]);

/**
 * What the lists say of a certificate (RFC 5280 6.3.3). Lists of other issuers say nothing; when its issuer's lists
 * are there but none may be relied on, the status is undetermined.
 */
export function revocationStatus(
  input: {
    readonly certificate: Certificate;
    readonly issuer: Certificate;
    readonly lists: readonly CertificateList[];
    readonly now: number;
  },
  isSigned: ListSignatureCheck,
): RevocationVerdict {
  const { certificate, issuer, lists, now } = input;
  const name = normalizedName(certificate.issuer);
  const own = lists.filter((list) => normalizedName(list.issuer) === name);
  if (own.length === 0) return 'no-list';
  const usable = own.filter((list) => isUsable(list, input, now) && isSigned(list, issuer));
  const base = newest(usable.filter(({ baseCrlNumber }) => baseCrlNumber === undefined));
  if (base === undefined) return 'undetermined';
  const delta = newest(usable.filter((list) => continues(list, base)));
  const entry = entryOf(delta, certificate.serial) ?? entryOf(base, certificate.serial);
  return entry === undefined || entry.reason === 'removeFromCRL' ? 'good' : 'revoked';
}

function isUsable(
  list: CertificateList,
  { certificate, issuer }: { certificate: Certificate; issuer: Certificate },
  now: number,
): boolean {
  const second = Math.floor(now / 1000) * 1000;
  const isCurrent = list.thisUpdate <= second && list.nextUpdate !== undefined && second <= list.nextUpdate;
  const hasUnknown = list.extensions.some(({ oid, critical }) => critical && !UNDERSTOOD.has(oid));
  const isAmbiguous = list.revoked.some((entry) => entry.hasUnknownCritical || entry.hasCertificateIssuer);
  return (
    list.version === 2 &&
    isCurrent &&
    !hasUnknown &&
    !isAmbiguous &&
    !hasDuplicates(list) &&
    equalBytes(list.innerAlgorithm.raw, list.signatureAlgorithm.raw) &&
    issuer.known.keyUsage?.has('cRLSign') !== false &&
    coversCertificate(list, certificate)
  );
}

/** A serial listed twice lets two readers see two reasons. */
function hasDuplicates({ revoked }: CertificateList): boolean {
  return new Set(revoked.map(({ serial }) => serial)).size !== revoked.length;
}

/** Whether the list's scope takes the certificate in; a shard must be the one the certificate names (RFC 5280 6.3.3 (b)). */
function coversCertificate({ issuingDistributionPoint: scope }: CertificateList, { known }: Certificate): boolean {
  if (scope === undefined) return true;
  const isAuthority = known.basicConstraints?.ca === true;
  const isOutside =
    (scope.onlyUserCerts && isAuthority) ||
    (scope.onlyCaCerts && !isAuthority) ||
    scope.onlyAttributeCerts ||
    scope.indirect ||
    scope.hasSomeReasons ||
    scope.isRelative;
  if (isOutside) return false;
  if (scope.fullName.length === 0) return true;
  const points = known.crlDistributionPoints ?? [];
  const uris = urisOf(scope.fullName);
  return (
    uris !== undefined &&
    points.some(
      ({ fullName, crlIssuer }) =>
        crlIssuer.length === 0 && urisOf(fullName)?.some((uri) => uris.includes(uri)) === true,
    )
  );
}

/** The URIs of a name, byte for byte; undefined when it holds anything else (BR 7.1.2.11.2, 7.2.2.1). */
function urisOf(names: readonly GeneralName[]): string[] | undefined {
  const uris = names.flatMap((name) => (name.kind === 'uri' ? [name.text] : []));
  return uris.length === names.length ? uris : undefined;
}

function newest(lists: readonly CertificateList[]): CertificateList | undefined {
  return lists.reduce<CertificateList | undefined>(
    (best, list) => (best === undefined || (list.crlNumber ?? 0n) > (best.crlNumber ?? 0n) ? list : best),
    undefined,
  );
}

/** Whether a delta's base is no newer than the base at hand, and the delta newer (RFC 5280 5.2.4). */
function continues({ baseCrlNumber, crlNumber }: CertificateList, base: CertificateList): boolean {
  if (baseCrlNumber === undefined || crlNumber === undefined || base.crlNumber === undefined) return false;
  return baseCrlNumber <= base.crlNumber && crlNumber > base.crlNumber;
}

function entryOf(list: CertificateList | undefined, serial: string): RevokedEntry | undefined {
  return list?.revoked.find((entry) => entry.serial === serial);
}
