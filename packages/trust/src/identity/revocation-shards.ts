import { encodeCrlDistributionPoints, encodeExtension, OID } from '@holdfast/wire/x509';
import type { Fingerprint } from '../ports/index.ts';

/** First octets of the serial numbers we give: `newSerial` leaves six random bits in them. */
const FIRST = 0x40;
const LAST = 0x7f;

/**
 * Which part of an issuer's revocation list speaks of a serial number: 64 parts, so that a hundred thousand revocations
 * are 64 files of less than 100 KB. Undefined for a number we did not give.
 */
export function shardOf(serialNumber: string): string | undefined {
  const shard = serialNumber.slice(0, 2);
  return SHARDS.includes(shard) ? shard : undefined;
}

/** Two hex digits each. */
export const SHARDS: readonly string[] = Array.from({ length: LAST - FIRST + 1 }, (_, at) => (FIRST + at).toString(16));

/** What a part is published and stored under; the whole list has the issuer's fingerprint alone. */
export function shardId(issuer: Fingerprint, shard: string): string {
  return `${issuer}-${shard}`;
}

/** What changed since a list that is still in force. */
export function deltaId(issuer: Fingerprint): string {
  return `${issuer}-delta`;
}

/** What a certificate says of the one part that speaks of its number (RFC 5280 4.2.1.13). */
export function listExtensions(
  crlUri: (list: string) => string,
  issuer: Fingerprint,
  serialNumber: string,
): readonly Uint8Array[] {
  const shard = shardOf(serialNumber);
  if (shard === undefined) return [];
  const points = encodeCrlDistributionPoints([crlUri(shardId(issuer, shard))]);
  return [encodeExtension(OID.crlDistributionPoints, false, points)];
}
