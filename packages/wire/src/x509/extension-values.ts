import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  contextPrimitive,
  decodeDer,
  type DerReader,
  encodeBoolean,
  encodeContext,
  encodeContextPrimitive,
  encodeInteger,
  encodeNamedBits,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeSequenceOf,
} from '../asn1/index.ts';
import { encodeGeneralName, type GeneralName, readGeneralName } from './general-name.ts';

export interface BasicConstraints {
  readonly ca: boolean;
  readonly pathLen: number | undefined;
}

/** KeyUsage bits by number (RFC 5280 4.2.1.3). */
const KEY_USAGE_BITS = {
  digitalSignature: 0,
  nonRepudiation: 1,
  keyEncipherment: 2,
  dataEncipherment: 3,
  keyAgreement: 4,
  keyCertSign: 5,
  cRLSign: 6,
  encipherOnly: 7,
  decipherOnly: 8,
} as const;

export type KeyUsage = keyof typeof KEY_USAGE_BITS;

export interface AuthorityKeyIdentifier {
  readonly keyIdentifier: Uint8Array | undefined;
  readonly hasIssuerAndSerial: boolean;
}

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

export interface AccessDescription {
  readonly method: string;
  readonly location: GeneralName;
}

export interface PolicyConstraints {
  readonly requireExplicitPolicy: number | undefined;
  readonly inhibitPolicyMapping: number | undefined;
}

const MAX_NAMES = 8192;
const KEY_USAGE_NAMES = Object.keys(KEY_USAGE_BITS) as KeyUsage[];

export function decodeBasicConstraints(value: Uint8Array): BasicConstraints {
  return decodeDer(value, 'basicConstraints', (whole) => {
    const reader = whole.sequence('basicConstraints');
    const ca = reader.defaultFalse('cA');
    const pathLen = reader.isAtEnd ? undefined : reader.uint('pathLenConstraint', 255);
    reader.end('basicConstraints');
    return { ca, pathLen };
  });
}

export function encodeBasicConstraints({ ca, pathLen }: BasicConstraints): Uint8Array {
  const parts = ca ? [encodeBoolean(true)] : [];
  return encodeSequence(...parts, ...(pathLen === undefined ? [] : [encodeInteger(pathLen)]));
}

/** The set bits. @throws `wire.malformed` for no bit, an unknown bit or trailing zero bits (X.690 11.2.2). */
export function decodeKeyUsage(value: Uint8Array): ReadonlySet<KeyUsage> {
  const { bytes, unusedBits } = decodeDer(value, 'keyUsage', (reader) => reader.bitString('keyUsage'));
  const last = bytes[bytes.length - 1] ?? 0;
  // RFC 5280 4.2.1.3: at least one bit is set.
  const isMinimal = ((last >> unusedBits) & 1) === 1;
  if (!isMinimal || 8 * bytes.length - unusedBits > KEY_USAGE_NAMES.length) {
    throw new HoldfastError('wire.malformed', { field: 'keyUsage' });
  }
  return new Set(KEY_USAGE_NAMES.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0));
}

export function encodeKeyUsage(usages: readonly KeyUsage[]): Uint8Array {
  return encodeNamedBits(usages.map((usage) => KEY_USAGE_BITS[usage]));
}

/** Key purpose OIDs, at least one. */
export function decodeExtKeyUsage(value: Uint8Array): readonly string[] {
  return nonEmpty(
    'extKeyUsage',
    decodeDer(value, 'extKeyUsage', (reader) =>
      reader.sequenceOf('extKeyUsage', (item) => item.oid('keyPurpose'), 256),
    ),
  );
}

export function encodeExtKeyUsage(purposes: readonly string[]): Uint8Array {
  return encodeSequence(...purposes.map(encodeOid));
}

/** GeneralNames, at least one (subjectAltName, issuerAltName). */
export function decodeGeneralNames(value: Uint8Array, field = 'subjectAltName'): readonly GeneralName[] {
  return nonEmpty(
    field,
    decodeDer(value, field, (reader) => reader.sequenceOf(field, (item) => readGeneralName(item, field), MAX_NAMES)),
  );
}

export function encodeGeneralNames(names: readonly GeneralName[]): Uint8Array {
  return encodeSequenceOf(names.map(encodeGeneralName));
}

export function decodeSubjectKeyIdentifier(value: Uint8Array): Uint8Array {
  return decodeDer(value, 'subjectKeyIdentifier', (reader) => reader.octetString('subjectKeyIdentifier'));
}

export function encodeSubjectKeyIdentifier(keyIdentifier: Uint8Array): Uint8Array {
  return encodeOctetString(keyIdentifier);
}

export function decodeAuthorityKeyIdentifier(value: Uint8Array): AuthorityKeyIdentifier {
  return decodeDer(value, 'authorityKeyIdentifier', (whole) => {
    const reader = whole.sequence('authorityKeyIdentifier');
    const keyIdentifier =
      reader.peekTag() === contextPrimitive(0) ? reader.octetString('keyIdentifier', contextPrimitive(0)) : undefined;
    const issuer = reader.enterOptional(contextConstructed(1), 'authorityCertIssuer');
    issuer?.rest('authorityCertIssuer', (item) => readGeneralName(item, 'authorityCertIssuer'), MAX_NAMES);
    const hasSerial = reader.peekTag() === contextPrimitive(2);
    if (hasSerial) reader.integerBytes('authorityCertSerialNumber', contextPrimitive(2));
    reader.end('authorityKeyIdentifier');
    // RFC 5280 4.2.1.1: both or neither.
    if (hasSerial !== (issuer !== undefined)) {
      throw new HoldfastError('wire.malformed', { field: 'authorityKeyIdentifier' });
    }
    return { keyIdentifier, hasIssuerAndSerial: hasSerial };
  });
}

export function encodeAuthorityKeyIdentifier(keyIdentifier: Uint8Array): Uint8Array {
  return encodeSequence(encodeContextPrimitive(0, keyIdentifier));
}

/** @throws `wire.malformed` when both lists are absent or empty, or a subtree has a minimum or maximum (RFC 5280 4.2.1.10). */
export function decodeNameConstraints(value: Uint8Array): NameConstraints {
  return decodeDer(value, 'nameConstraints', (whole) => {
    const reader = whole.sequence('nameConstraints');
    const permitted = readSubtrees(reader, 0, 'permittedSubtrees');
    const excluded = readSubtrees(reader, 1, 'excludedSubtrees');
    reader.end('nameConstraints');
    if (permitted === undefined && excluded === undefined) {
      throw new HoldfastError('wire.malformed', { field: 'nameConstraints', reason: 'empty' });
    }
    return { permitted: permitted ?? [], excluded: excluded ?? [] };
  });
}

export function encodeNameConstraints({ permitted, excluded }: NameConstraints): Uint8Array {
  const subtrees = (number: number, names: readonly GeneralName[]) =>
    names.length === 0 ? [] : [encodeContext(number, ...names.map((name) => encodeSequence(encodeGeneralName(name))))];
  return encodeSequence(...subtrees(0, permitted), ...subtrees(1, excluded));
}

/** Policy OIDs; qualifiers are checked for form and dropped. @throws `wire.duplicate` for a policy listed twice. */
export function decodeCertificatePolicies(value: Uint8Array): readonly string[] {
  const policies = decodeDer(value, 'certificatePolicies', (reader) =>
    reader.sequenceOf('certificatePolicies', readPolicy, 256),
  );
  if (new Set(policies).size !== policies.length) {
    throw new HoldfastError('wire.duplicate', { field: 'certificatePolicies' });
  }
  return nonEmpty('certificatePolicies', policies);
}

export function encodeCertificatePolicies(policies: readonly string[]): Uint8Array {
  return encodeSequence(...policies.map((policy) => encodeSequence(encodeOid(policy))));
}

/** Pairs [issuerDomainPolicy, subjectDomainPolicy]. */
export function decodePolicyMappings(value: Uint8Array): readonly (readonly [string, string])[] {
  const mappings = decodeDer(value, 'policyMappings', (reader) =>
    reader.sequenceOf(
      'policyMappings',
      (item): readonly [string, string] => {
        const pair = item.sequence('policyMapping');
        const mapping = [pair.oid('issuerDomainPolicy'), pair.oid('subjectDomainPolicy')] as const;
        pair.end('policyMapping');
        return mapping;
      },
      256,
    ),
  );
  return nonEmpty('policyMappings', mappings);
}

export function decodePolicyConstraints(value: Uint8Array): PolicyConstraints {
  return decodeDer(value, 'policyConstraints', (whole) => {
    const reader = whole.sequence('policyConstraints');
    const [requireExplicitPolicy, inhibitPolicyMapping] = [0, 1].map((number) =>
      reader.peekTag() === contextPrimitive(number)
        ? reader.uint('skipCerts', 255, contextPrimitive(number))
        : undefined,
    );
    reader.end('policyConstraints');
    if (requireExplicitPolicy === undefined && inhibitPolicyMapping === undefined) {
      throw new HoldfastError('wire.malformed', { field: 'policyConstraints', reason: 'empty' });
    }
    return { requireExplicitPolicy, inhibitPolicyMapping };
  });
}

export function decodeInhibitAnyPolicy(value: Uint8Array): number {
  return decodeDer(value, 'inhibitAnyPolicy', (reader) => reader.uint('inhibitAnyPolicy', 255));
}

export function decodeAccessDescriptions(
  value: Uint8Array,
  field = 'authorityInfoAccess',
): readonly AccessDescription[] {
  return nonEmpty(
    field,
    decodeDer(value, field, (reader) =>
      reader.sequenceOf(
        field,
        (item) => {
          const inner = item.sequence(field);
          const description = { method: inner.oid('accessMethod'), location: readGeneralName(inner, 'accessLocation') };
          inner.end(field);
          return description;
        },
        256,
      ),
    ),
  );
}

export function encodeAccessDescriptions(descriptions: readonly AccessDescription[]): Uint8Array {
  return encodeSequence(
    ...descriptions.map(({ method, location }) => encodeSequence(encodeOid(method), encodeGeneralName(location))),
  );
}

function readSubtrees(reader: DerReader, number: number, field: string): GeneralName[] | undefined {
  const subtrees = reader.enterOptional(contextConstructed(number), field);
  if (subtrees === undefined) return undefined;
  const names = subtrees.rest(
    field,
    (item) => {
      const subtree = item.sequence(field);
      const name = readGeneralName(subtree, field);
      subtree.end(field);
      return name;
    },
    MAX_NAMES,
  );
  if (names.length === 0) throw new HoldfastError('wire.malformed', { field, reason: 'empty' });
  return names;
}

function readPolicy(reader: DerReader): string {
  const inner = reader.sequence('policyInformation');
  const policy = inner.oid('policyIdentifier');
  if (!inner.isAtEnd) inner.any('policyQualifiers');
  inner.end('policyInformation');
  return policy;
}

function nonEmpty<T>(field: string, items: readonly T[]): readonly T[] {
  if (items.length === 0) throw new HoldfastError('wire.malformed', { field, reason: 'empty' });
  return items;
}
