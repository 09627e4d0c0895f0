import { decodeDer } from '../asn1/index.ts';
import { decodeCrlDistributionPoints, type DistributionPoint } from './distribution-point.ts';
import type { Extension } from './extension.ts';
import {
  type AccessDescription,
  type AuthorityKeyIdentifier,
  type BasicConstraints,
  decodeAccessDescriptions,
  decodeAuthorityKeyIdentifier,
  decodeBasicConstraints,
  decodeCertificatePolicies,
  decodeExtKeyUsage,
  decodeGeneralNames,
  decodeInhibitAnyPolicy,
  decodeKeyUsage,
  decodeNameConstraints,
  decodePolicyConstraints,
  decodePolicyMappings,
  decodeSubjectKeyIdentifier,
  type KeyUsage,
  type NameConstraints,
  type PolicyConstraints,
} from './extension-values.ts';
import type { GeneralName } from './general-name.ts';
import { OID } from './oids.ts';

/** The values of the extensions we understand; what is absent from the certificate is undefined. */
export interface KnownExtensions {
  readonly basicConstraints?: BasicConstraints;
  readonly keyUsage?: ReadonlySet<KeyUsage>;
  readonly extKeyUsage?: readonly string[];
  readonly subjectAltName?: readonly GeneralName[];
  readonly issuerAltName?: readonly GeneralName[];
  readonly subjectKeyIdentifier?: Uint8Array;
  readonly authorityKeyIdentifier?: AuthorityKeyIdentifier;
  readonly nameConstraints?: NameConstraints;
  readonly certificatePolicies?: readonly string[];
  readonly policyMappings?: readonly (readonly [string, string])[];
  readonly policyConstraints?: PolicyConstraints;
  readonly inhibitAnyPolicy?: number;
  readonly crlDistributionPoints?: readonly DistributionPoint[];
  readonly freshestCrl?: readonly DistributionPoint[];
  readonly authorityInfoAccess?: readonly AccessDescription[];
  readonly subjectInfoAccess?: readonly AccessDescription[];
  readonly ocspNoCheck?: true;
  readonly noRevAvail?: true;
}

const DECODERS: { readonly [K in keyof KnownExtensions]-?: (value: Uint8Array) => KnownExtensions[K] } = {
  basicConstraints: decodeBasicConstraints,
  keyUsage: decodeKeyUsage,
  extKeyUsage: decodeExtKeyUsage,
  subjectAltName: (value) => decodeGeneralNames(value),
  issuerAltName: (value) => decodeGeneralNames(value, 'issuerAltName'),
  subjectKeyIdentifier: decodeSubjectKeyIdentifier,
  authorityKeyIdentifier: decodeAuthorityKeyIdentifier,
  nameConstraints: decodeNameConstraints,
  certificatePolicies: decodeCertificatePolicies,
  policyMappings: decodePolicyMappings,
  policyConstraints: decodePolicyConstraints,
  inhibitAnyPolicy: decodeInhibitAnyPolicy,
  crlDistributionPoints: (value) => decodeCrlDistributionPoints(value),
  freshestCrl: (value) => decodeCrlDistributionPoints(value, 'freshestCRL'),
  authorityInfoAccess: (value) => decodeAccessDescriptions(value),
  subjectInfoAccess: (value) => decodeAccessDescriptions(value, 'subjectInfoAccess'),
  ocspNoCheck: decodeNull,
  noRevAvail: decodeNull,
};

const BY_OID: ReadonlyMap<string, keyof KnownExtensions> = new Map(
  (Object.keys(DECODERS) as (keyof KnownExtensions)[]).map((key) => [OID[key], key]),
);

/** Decodes the extensions we know and leaves the others alone. @throws what their decoders throw. */
export function decodeKnownExtensions(extensions: readonly Extension[]): KnownExtensions {
  const known: Record<string, unknown> = {};
  for (const { oid, value } of extensions) {
    const key = BY_OID.get(oid);
    if (key !== undefined) known[key] = DECODERS[key](value);
  }
  return known;
}

function decodeNull(value: Uint8Array): true {
  decodeDer(value, 'null', (reader) => reader.null('null'));
  return true;
}
