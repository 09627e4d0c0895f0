import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  decodeDer,
  DerReader,
  encodeContext,
  encodeEnumerated,
  encodeInteger,
  encodeSequence,
  encodeSequenceOf,
  encodeTime,
  encodeUnsigned,
  TAG,
} from '../asn1/index.ts';
import { type AlgorithmIdentifier, readAlgorithm } from './algorithm.ts';
import { readValidityTime, serialHex } from './certificate.ts';
import {
  type DistributionPoint,
  decodeCrlDistributionPoints,
  decodeIssuingDistributionPoint,
  encodeCrlDistributionPoints,
  encodeIssuingDistributionPoint,
  type IssuingDistributionPoint,
} from './distribution-point.ts';
import { encodeExtension, type Extension, readExtensions } from './extension.ts';
import {
  type AuthorityKeyIdentifier,
  decodeAuthorityKeyIdentifier,
  encodeAuthorityKeyIdentifier,
} from './extension-values.ts';
import { type Name, readName } from './name.ts';
import { OID } from './oids.ts';

/** CRLReason (RFC 5280 5.3.1); 7 is unused. */
export const REASON_CODES = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const;

export type RevocationReason = keyof typeof REASON_CODES;

export interface RevokedEntry {
  /** Lower-case hex. */
  readonly serial: string;
  /** Milliseconds since the Unix epoch. */
  readonly revokedAt: number;
  /** Absent on the wire means unspecified. */
  readonly reason: RevocationReason;
  readonly hasUnknownCritical: boolean;
  /** Set when the entry speaks of another CA's certificate (indirect CRL). */
  readonly hasCertificateIssuer: boolean;
}

export interface CertificateList {
  readonly raw: Uint8Array;
  readonly tbs: Uint8Array;
  readonly version: 1 | 2;
  readonly innerAlgorithm: AlgorithmIdentifier;
  readonly issuer: Name;
  readonly thisUpdate: number;
  readonly nextUpdate: number | undefined;
  readonly revoked: readonly RevokedEntry[];
  readonly extensions: readonly Extension[];
  readonly crlNumber: bigint | undefined;
  /** BaseCRLNumber when this is a delta. */
  readonly baseCrlNumber: bigint | undefined;
  readonly issuingDistributionPoint: IssuingDistributionPoint | undefined;
  readonly authorityKeyIdentifier: AuthorityKeyIdentifier | undefined;
  readonly freshestCrl: readonly DistributionPoint[] | undefined;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
}

const MAX_CRL = 64 * 1024 * 1024;
const MAX_ENTRIES = 2_000_000;
const MAX_NUMBER_OCTETS = 20; // RFC 5280 5.2.3
const REASON_NAMES: ReadonlyMap<number, RevocationReason> = new Map(
  (Object.keys(REASON_CODES) as RevocationReason[]).map((name) => [REASON_CODES[name], name]),
);

/** Decodes a CRL (RFC 5280 5.1). @throws as `decodeCertificate` does; `wire.too_large` over 64 MiB or 2,000,000 entries. */
export function decodeCrl(bytes: Uint8Array): CertificateList {
  if (bytes.length > MAX_CRL) throw new HoldfastError('wire.too_large', { field: 'crl', limit: MAX_CRL });
  return decodeDer(bytes, 'crl', (whole) => {
    const reader = whole.sequence('crl');
    const tbs = reader.expect(TAG.sequence, 'tbsCertList').raw;
    const signatureAlgorithm = readAlgorithm(reader, 'signatureAlgorithm');
    const signature = reader.octetBitString('signatureValue');
    reader.end('crl');
    return { raw: bytes, tbs, ...decodeTbs(tbs), signatureAlgorithm, signature };
  });
}

/** One entry, to be kept encoded and appended to later lists. `serial` is the big-endian magnitude. */
export function encodeRevokedEntry(
  serial: Uint8Array,
  revokedAt: number,
  reason: RevocationReason,
): Uint8Array<ArrayBuffer> {
  const parts = [encodeUnsigned(serial), encodeTime(revokedAt)];
  // RFC 5280 5.3.1: unspecified is said by leaving the extension out.
  if (reason !== 'unspecified') {
    parts.push(encodeSequence(encodeExtension(OID.reasonCode, false, encodeEnumerated(REASON_CODES[reason]))));
  }
  return encodeSequence(...parts);
}

export interface TbsCrlInput {
  readonly algorithm: Uint8Array;
  readonly issuer: Uint8Array;
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** Encodings made by `encodeRevokedEntry`. */
  readonly entries: readonly Uint8Array[];
  readonly authorityKeyIdentifier: Uint8Array;
  readonly crlNumber: bigint;
  /** Makes the list a delta against this base number. */
  readonly baseCrlNumber?: bigint;
  /** Makes the list a shard: its address as it stands in the certificates, and what it covers. */
  readonly shard?: { readonly uris: readonly string[]; readonly scope: 'user' | 'ca' | 'all' };
  /** Where the delta of this base is. */
  readonly freshestCrlUris?: readonly string[];
}

/** A version 2 TBSCertList (RFC 5280 5.1). */
export function encodeTbsCrl(input: TbsCrlInput): Uint8Array<ArrayBuffer> {
  return encodeSequence(
    encodeInteger(1),
    input.algorithm,
    input.issuer,
    encodeTime(input.thisUpdate),
    encodeTime(input.nextUpdate),
    // RFC 5280 5.1.2.6: no entry, no list.
    ...(input.entries.length === 0 ? [] : [encodeSequenceOf(input.entries)]),
    encodeContext(0, encodeSequence(...crlExtensions(input))),
  );
}

function crlExtensions(input: TbsCrlInput): Uint8Array[] {
  const { baseCrlNumber, shard, freshestCrlUris } = input;
  const extensions = [
    encodeExtension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier(input.authorityKeyIdentifier)),
    encodeExtension(OID.crlNumber, false, encodeInteger(input.crlNumber)),
  ];
  if (baseCrlNumber !== undefined) {
    extensions.push(encodeExtension(OID.deltaCrlIndicator, true, encodeInteger(baseCrlNumber)));
  }
  if (shard !== undefined) {
    // Critical, or an attacker swaps one shard for another (RFC 5280 5.2.5).
    const value = encodeIssuingDistributionPoint(shard.uris, shard.scope);
    extensions.push(encodeExtension(OID.issuingDistributionPoint, true, value));
  }
  if (freshestCrlUris !== undefined) {
    extensions.push(encodeExtension(OID.freshestCrl, false, encodeCrlDistributionPoints(freshestCrlUris)));
  }
  return extensions;
}

type Tbs = Omit<CertificateList, 'raw' | 'tbs' | 'signatureAlgorithm' | 'signature'>;

function decodeTbs(tbs: Uint8Array): Tbs {
  const reader = new DerReader(tbs).sequence('tbsCertList');
  const version = reader.peekTag() === TAG.integer ? 2 : 1;
  if (version === 2 && reader.uint('version', 1) !== 1) {
    throw new HoldfastError('wire.malformed', { field: 'version' });
  }
  const innerAlgorithm = readAlgorithm(reader, 'signature');
  const issuer = readName(reader, 'issuer');
  const thisUpdate = readValidityTime(reader, 'thisUpdate');
  const hasNext = reader.peekTag() === TAG.utcTime || reader.peekTag() === TAG.generalizedTime;
  const nextUpdate = hasNext ? readValidityTime(reader, 'nextUpdate') : undefined;
  const list = reader.enterOptional(TAG.sequence, 'revokedCertificates');
  const revoked = list?.rest('revokedCertificates', readEntry, MAX_ENTRIES) ?? [];
  if (list !== undefined && revoked.length === 0) {
    throw new HoldfastError('wire.malformed', { field: 'revokedCertificates', reason: 'empty' });
  }
  const explicit = version === 2 ? reader.enterOptional(contextConstructed(0), 'crlExtensions') : undefined;
  const extensions = explicit === undefined ? [] : readExtensions(explicit, 'crlExtensions');
  explicit?.end('crlExtensions');
  reader.end('tbsCertList');
  return { version, innerAlgorithm, issuer, thisUpdate, nextUpdate, revoked, extensions, ...knownOf(extensions) };
}

function knownOf(extensions: readonly Extension[]) {
  const read = <T>(oid: string, decode: (value: Uint8Array) => T): T | undefined => {
    const found = extensions.find((extension) => extension.oid === oid);
    return found === undefined ? undefined : decode(found.value);
  };
  return {
    crlNumber: read(OID.crlNumber, decodeNumber),
    baseCrlNumber: read(OID.deltaCrlIndicator, decodeNumber),
    issuingDistributionPoint: read(OID.issuingDistributionPoint, decodeIssuingDistributionPoint),
    authorityKeyIdentifier: read(OID.authorityKeyIdentifier, decodeAuthorityKeyIdentifier),
    freshestCrl: read(OID.freshestCrl, (value) => decodeCrlDistributionPoints(value, 'freshestCRL')),
  };
}

function decodeNumber(value: Uint8Array): bigint {
  const number = decodeDer(value, 'crlNumber', (reader) => reader.integer('crlNumber'));
  if (number < 0n || value.length > MAX_NUMBER_OCTETS + 2) {
    throw new HoldfastError('wire.malformed', { field: 'crlNumber' });
  }
  return number;
}

const ENTRY_EXTENSIONS: ReadonlySet<string> = new Set([OID.reasonCode, OID.invalidityDate, OID.certificateIssuer]);

function readEntry(reader: DerReader): RevokedEntry {
  const entry = reader.sequence('revokedCertificate');
  const serial = serialHex(entry.integerBytes('userCertificate'));
  const revokedAt = readValidityTime(entry, 'revocationDate');
  const extensions = entry.isAtEnd ? [] : readExtensions(entry, 'crlEntryExtensions');
  entry.end('revokedCertificate');
  return {
    serial,
    revokedAt,
    reason: reasonOf(extensions),
    hasUnknownCritical: extensions.some(({ oid, critical }) => critical && !ENTRY_EXTENSIONS.has(oid)),
    hasCertificateIssuer: extensions.some(({ oid }) => oid === OID.certificateIssuer),
  };
}

function reasonOf(extensions: readonly Extension[]): RevocationReason {
  const found = extensions.find(({ oid }) => oid === OID.reasonCode);
  if (found === undefined) return 'unspecified';
  const code = decodeDer(found.value, 'reasonCode', (reader) => reader.uint('reasonCode', 10, TAG.enumerated));
  const reason = REASON_NAMES.get(code);
  if (reason === undefined) throw new HoldfastError('wire.malformed', { field: 'reasonCode' });
  return reason;
}
