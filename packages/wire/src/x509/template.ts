import { concatBytes } from '@holdfast/kernel';
import { encodeNull } from '../asn1/index.ts';
import { encodeTbsCertificate, type Validity } from './certificate.ts';
import { encodeCrlDistributionPoints } from './distribution-point.ts';
import { encodeExtension } from './extension.ts';
import {
  encodeAccessDescriptions,
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeCertificatePolicies,
  encodeExtKeyUsage,
  encodeGeneralNames,
  encodeKeyUsage,
  encodeNameConstraints,
  encodeSubjectKeyIdentifier,
  type NameConstraints,
} from './extension-values.ts';
import type { GeneralName } from './general-name.ts';
import { OID } from './oids.ts';
import { type CertificateProfile, type ProfileRow, PROFILES } from './profiles.ts';

/** What all certificates of one profile by one issuer have in common. */
export interface TemplateInput {
  readonly profile: CertificateProfile;
  /** The issuer's subject, its whole encoding. */
  readonly issuerName: Uint8Array;
  /** The signature's AlgorithmIdentifier, its whole encoding. */
  readonly algorithm: Uint8Array;
  /** The issuer's subjectKeyIdentifier; absent for a self-signed root. */
  readonly authorityKeyIdentifier?: Uint8Array | undefined;
  /** Where the CRL, or the shard of it, that lists these certificates is. */
  readonly crlUris?: readonly string[] | undefined;
  readonly ocspUris?: readonly string[] | undefined;
  /** Where the issuer's own certificate is. */
  readonly issuerUris?: readonly string[] | undefined;
  readonly nameConstraints?: NameConstraints | undefined;
  /** Limits an authority to these purposes, or replaces the profile's for an end entity. */
  readonly extKeyUsage?: readonly string[] | undefined;
  readonly policies?: readonly string[] | undefined;
  /** Replaces the profile's pathLenConstraint. */
  readonly pathLen?: number | undefined;
  /** Whole Extension encodings to add. */
  readonly extensions?: readonly Uint8Array[] | undefined;
}

/** A template with its common bytes already encoded. */
export interface CertificateTemplate {
  readonly row: ProfileRow;
  readonly algorithm: Uint8Array;
  readonly issuerName: Uint8Array;
  readonly extensions: Uint8Array;
}

/** What is each certificate's own. */
export interface TemplateFields {
  readonly serial: Uint8Array;
  readonly validity: Validity;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly subjectKeyIdentifier: Uint8Array;
  readonly subjectAltName?: readonly GeneralName[] | undefined;
  readonly extensions?: readonly Uint8Array[] | undefined;
}

export function prepareTemplate(input: TemplateInput): CertificateTemplate {
  const row: ProfileRow = PROFILES[input.profile];
  const constraints = { ca: row.ca, pathLen: input.pathLen ?? row.pathLen };
  const purposes = input.extKeyUsage ?? row.extKeyUsage;
  const access = [
    ...(input.ocspUris ?? []).map((text) => ({ method: OID.ocsp, location: { kind: 'uri', text } as const })),
    ...(input.issuerUris ?? []).map((text) => ({ method: OID.caIssuers, location: { kind: 'uri', text } as const })),
  ];
  const { authorityKeyIdentifier, crlUris = [], nameConstraints, policies = [] } = input;
  const parts = [
    encodeExtension(OID.basicConstraints, row.criticalBasicConstraints, encodeBasicConstraints(constraints)),
    encodeExtension(OID.keyUsage, true, encodeKeyUsage(row.keyUsage)),
    purposes.length > 0 && encodeExtension(OID.extKeyUsage, false, encodeExtKeyUsage(purposes)),
    authorityKeyIdentifier !== undefined &&
      encodeExtension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier(authorityKeyIdentifier)),
    crlUris.length > 0 && encodeExtension(OID.crlDistributionPoints, false, encodeCrlDistributionPoints(crlUris)),
    access.length > 0 && encodeExtension(OID.authorityInfoAccess, false, encodeAccessDescriptions(access)),
    policies.length > 0 && encodeExtension(OID.certificatePolicies, false, encodeCertificatePolicies(policies)),
    nameConstraints !== undefined && encodeExtension(OID.nameConstraints, true, encodeNameConstraints(nameConstraints)),
    row.ocspNoCheck && encodeExtension(OID.ocspNoCheck, false, encodeNull()),
    ...(input.extensions ?? []),
  ];
  const present = parts.filter((part) => part !== false);
  return { row, algorithm: input.algorithm, issuerName: input.issuerName, extensions: concatBytes(...present) };
}

/** A TBSCertificate to sign. An empty subject makes the SAN critical (RFC 5280 4.1.2.6). */
export function encodeFromTemplate(template: CertificateTemplate, fields: TemplateFields): Uint8Array<ArrayBuffer> {
  const { subjectAltName = [], subject } = fields;
  const isSubjectEmpty = subject.length === 2;
  const san =
    subjectAltName.length === 0
      ? []
      : [encodeExtension(OID.subjectAltName, isSubjectEmpty, encodeGeneralNames(subjectAltName))];
  const ski = encodeExtension(OID.subjectKeyIdentifier, false, encodeSubjectKeyIdentifier(fields.subjectKeyIdentifier));
  return encodeTbsCertificate({
    serial: fields.serial,
    algorithm: template.algorithm,
    issuer: template.issuerName,
    validity: fields.validity,
    subject,
    spki: fields.spki,
    extensions: [template.extensions, ski, ...san, ...(fields.extensions ?? [])],
  });
}
