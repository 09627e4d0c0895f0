import { equalBytes } from '@holdfast/kernel';
import { attributeTexts, type Certificate, type GeneralName, OID } from '@holdfast/wire/x509';
import { ipAddressText, isHostName } from './host-names.ts';

/** Rules of the CA/Browser Forum Baseline Requirements beyond RFC 5280, for chains from the public Web PKI. */

/** Purposes 7.1.2.7.10 keeps out of a server's certificate. */
const FORBIDDEN_PURPOSES: ReadonlySet<string> = new Set([
  OID.anyExtendedKeyUsage,
  OID.codeSigning,
  OID.emailProtection,
  OID.timeStamping,
  OID.ocspSigning,
  '1.3.6.1.4.1.11129.2.4.4',
]);

/** Second labels under a country's domain that its registry gives names below, so that an asterisk there spans strangers. */
const REGISTRY_LABELS: ReadonlySet<string> = new Set(
  'ac co com edu gob gov gouv go id ltd me mil ne net nhs nom or org plc police sch web'.split(' '),
);

export function breaksServerRules(certificate: Certificate): boolean {
  const { known, extensions, subject } = certificate;
  const purposes = known.extKeyUsage;
  const isCritical = (oid: string) => extensions.some((extension) => extension.oid === oid && extension.critical);
  const names = known.subjectAltName ?? [];
  return (
    known.basicConstraints?.ca === true ||
    purposes === undefined ||
    isCritical(OID.extKeyUsage) ||
    purposes.some((purpose) => FORBIDDEN_PURPOSES.has(purpose)) ||
    (isCritical(OID.subjectAltName) && subject.rdns.length > 0) ||
    names.some(({ kind }) => kind !== 'dns' && kind !== 'ip') ||
    names.some(isPublicWildcard) ||
    !attributeTexts(subject, OID.commonName).every((commonName) => commonNameFits(commonName, names))
  );
}

/** BR 7.1.2.1: no purposes, and a key identifier that is its own. */
export function breaksRootRules({ known }: Certificate): boolean {
  const { authorityKeyIdentifier: aki, subjectKeyIdentifier: ski, extKeyUsage } = known;
  if (extKeyUsage !== undefined) return true;
  if (aki === undefined) return false;
  return (
    aki.hasIssuerAndSerial ||
    aki.keyIdentifier === undefined ||
    ski === undefined ||
    !equalBytes(aki.keyIdentifier, ski)
  );
}

/**
 * BR 7.1.4.3: a common name is a copy, character for character, of a name in the SAN. The domain an asterisk stands
 * under passes too, and where the SAN has no public DNS name there is nothing to compare a host name with.
 */
function commonNameFits(commonName: string, names: readonly GeneralName[]): boolean {
  const dnsNames = names.flatMap((name) => (name.kind === 'dns' ? [name.text] : []));
  const addresses = names.flatMap((name) => (name.kind === 'ip' ? [ipAddressText(name.bytes)] : []));
  if (dnsNames.includes(commonName) || addresses.includes(commonName)) return true;
  const isPublic = (text: string) => isHostName(text) && text.includes('.') && !/(^|\.)(\d+|0x[0-9a-f]*)$/i.test(text);
  if (!isPublic(commonName)) return false;
  const publicNames = dnsNames.filter((text) => isPublic(text.replace(/^\*\./, '')));
  return publicNames.length === 0 || publicNames.includes(`*.${commonName}`);
}

function isPublicWildcard(name: GeneralName): boolean {
  if (name.kind !== 'dns' || !name.text.startsWith('*.')) return false;
  const [first = '', second, third] = name.text.slice(2).toLowerCase().split('.');
  if (second === undefined) return true;
  return third === undefined && second.length === 2 && REGISTRY_LABELS.has(first);
}
