import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  contextPrimitive,
  decodeDer,
  type DerReader,
  encodeContext,
  encodeContextPrimitive,
  encodeSequence,
} from '../asn1/index.ts';
import { encodeGeneralName, type GeneralName, readGeneralName } from './general-name.ts';

/** DistributionPoint (RFC 5280 4.2.1.13). */
export interface DistributionPoint {
  /** fullName; empty when the point has none or names itself relative to the issuer. */
  readonly fullName: readonly GeneralName[];
  readonly isRelative: boolean;
  readonly hasReasons: boolean;
  readonly crlIssuer: readonly GeneralName[];
}

/** IssuingDistributionPoint (RFC 5280 5.2.5). */
export interface IssuingDistributionPoint {
  readonly fullName: readonly GeneralName[];
  readonly isRelative: boolean;
  readonly onlyUserCerts: boolean;
  readonly onlyCaCerts: boolean;
  readonly hasSomeReasons: boolean;
  readonly indirect: boolean;
  readonly onlyAttributeCerts: boolean;
}

export function decodeCrlDistributionPoints(
  value: Uint8Array,
  field = 'crlDistributionPoints',
): readonly DistributionPoint[] {
  const points = decodeDer(value, field, (reader) => reader.sequenceOf(field, (item) => readPoint(item, field), 256));
  if (points.length === 0) throw new HoldfastError('wire.malformed', { field, reason: 'empty' });
  return points;
}

/** One distribution point with these URIs, which must all lead to the same CRL. */
export function encodeCrlDistributionPoints(uris: readonly string[]): Uint8Array {
  return encodeSequence(encodeSequence(encodePointName(uris)));
}

export function decodeIssuingDistributionPoint(value: Uint8Array): IssuingDistributionPoint {
  const field = 'issuingDistributionPoint';
  return decodeDer(value, field, (whole) => {
    const reader = whole.sequence(field);
    const name = readPointName(reader, field);
    const onlyUserCerts = readFlag(reader, 1);
    const onlyCaCerts = readFlag(reader, 2);
    const hasSomeReasons = reader.peekTag() === contextPrimitive(3);
    if (hasSomeReasons) reader.bitString('onlySomeReasons', contextPrimitive(3));
    const indirect = readFlag(reader, 4);
    const onlyAttributeCerts = readFlag(reader, 5);
    reader.end(field);
    if ([onlyUserCerts, onlyCaCerts, onlyAttributeCerts].filter(Boolean).length > 1) {
      throw new HoldfastError('wire.malformed', { field });
    }
    return { ...name, onlyUserCerts, onlyCaCerts, hasSomeReasons, indirect, onlyAttributeCerts };
  });
}

/** The IDP of one shard: its URIs and that it lists end-entity certificates, or CA certificates, only. */
export function encodeIssuingDistributionPoint(uris: readonly string[], scope: 'user' | 'ca' | 'all'): Uint8Array {
  const name = uris.length === 0 ? [] : [encodePointName(uris)];
  const flag = scope === 'all' ? [] : [encodeContextPrimitive(scope === 'user' ? 1 : 2, Uint8Array.of(0xff))];
  return encodeSequence(...name, ...flag);
}

function encodePointName(uris: readonly string[]): Uint8Array {
  const names = uris.map((text) => encodeGeneralName({ kind: 'uri', text }));
  return encodeContext(0, encodeContext(0, ...names));
}

function readPoint(reader: DerReader, field: string): DistributionPoint {
  const inner = reader.sequence(field);
  const name = readPointName(inner, field);
  const hasReasons = inner.peekTag() === contextPrimitive(1);
  if (hasReasons) inner.bitString('reasons', contextPrimitive(1));
  const issuer = inner.enterOptional(contextConstructed(2), 'cRLIssuer');
  const crlIssuer = issuer?.rest('cRLIssuer', (item) => readGeneralName(item, 'cRLIssuer'), 64) ?? [];
  inner.end(field);
  // RFC 5280 4.2.1.13: reasons alone say nothing.
  if (name.fullName.length === 0 && !name.isRelative && crlIssuer.length === 0) {
    throw new HoldfastError('wire.malformed', { field });
  }
  return { ...name, hasReasons, crlIssuer };
}

function readPointName(reader: DerReader, field: string): Pick<DistributionPoint, 'fullName' | 'isRelative'> {
  const point = reader.enterOptional(contextConstructed(0), `${field}.distributionPoint`);
  if (point === undefined) return { fullName: [], isRelative: false };
  const full = point.enterOptional(contextConstructed(0), `${field}.fullName`);
  const fullName = full?.rest(`${field}.fullName`, (item) => readGeneralName(item, field), 64) ?? [];
  if (full === undefined) {
    point.enter(contextConstructed(1), `${field}.nameRelativeToCRLIssuer`).rest(field, (item) => item.any(field));
  } else if (fullName.length === 0) {
    throw new HoldfastError('wire.malformed', { field, reason: 'empty' });
  }
  point.end(field);
  return { fullName, isRelative: full === undefined };
}

/** An implicitly tagged BOOLEAN DEFAULT FALSE, so only TRUE may be encoded. */
function readFlag(reader: DerReader, number: number): boolean {
  const tag = contextPrimitive(number);
  if (reader.peekTag() !== tag) return false;
  const { content, offset } = reader.expect(tag, 'flag');
  if (content.length !== 1 || content[0] !== 0xff) {
    throw new HoldfastError('wire.malformed', { field: 'issuingDistributionPoint', offset });
  }
  return true;
}
