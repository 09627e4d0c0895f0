import { encodeHex } from '@holdfast/kernel';
import { attributeTexts, decodeCertificate, type GeneralName, type Name, OID } from '@holdfast/wire/x509';
import type { CertificateFacts, CertificateNames } from './policy-context.ts';
import type { NameAttribute } from './name-attributes.ts';

/** Policy words and the attribute types behind them (X.520). */
const ATTRIBUTE_TYPES: Readonly<Partial<Record<NameAttribute, string>>> = {
  DistinguishedNameQualifier: OID.dnQualifier,
  Country: OID.country,
  Organization: OID.organization,
  OrganizationalUnit: OID.organizationalUnit,
  State: OID.state,
  CommonName: OID.commonName,
  SerialNumber: OID.serialNumber,
  Title: OID.title,
  Surname: OID.surname,
  GivenName: OID.givenName,
  Initials: '2.5.4.43',
  Pseudonym: '2.5.4.65',
  GenerationQualifier: '2.5.4.44',
};

/**
 * What policies may ask about a certificate, read from its DER and never from a printed form (CVE-2021-44532).
 *
 * @param der - A certificate the registry already holds.
 * @throws the `wire.*` errors of `decodeCertificate`.
 */
export function certificateFacts(der: Uint8Array): CertificateFacts {
  const certificate = decodeCertificate(der);
  return {
    serialNumber: certificate.serial,
    subject: namesOf(certificate.subject, certificate.known.subjectAltName ?? []),
    issuer: namesOf(certificate.issuer, certificate.known.issuerAltName ?? []),
    notBefore: certificate.validity.notBefore,
  };
}

function namesOf(name: Name, alternatives: readonly GeneralName[]): CertificateNames {
  const names: Partial<Record<NameAttribute, string[]>> = {};
  for (const [attribute, type] of Object.entries(ATTRIBUTE_TYPES) as [NameAttribute, string][]) {
    const texts = attributeTexts(name, type);
    if (texts.length > 0) names[attribute] = texts;
  }
  for (const alternative of alternatives) {
    const [attribute, text] = alternativeText(alternative) ?? [];
    if (attribute !== undefined && text !== undefined) (names[attribute] ??= []).push(text);
  }
  return names;
}

function alternativeText(name: GeneralName): readonly [NameAttribute, string] | undefined {
  switch (name.kind) {
    case 'email':
      return ['AlternativeName.RFC822Name', name.text];
    case 'dns':
      return ['AlternativeName.DNSName', name.text];
    case 'uri':
      return ['AlternativeName.UniformResourceIdentifier', name.text];
    case 'ip':
      return ['AlternativeName.IPAddress', addressText(name.bytes)];
    default:
      return undefined;
  }
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  return encodeHex(bytes).replace(/(.{4})(?=.)/g, '$1:');
}
