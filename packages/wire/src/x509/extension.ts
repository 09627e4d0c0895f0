import { HoldfastError } from '@holdfast/kernel';
import { type DerReader, encodeBoolean, encodeOctetString, encodeOid, encodeSequence } from '../asn1/index.ts';

/** Extension (RFC 5280 4.1); `value` is the content of extnValue. */
export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

const MAX_EXTENSIONS = 64;

/**
 * Reads SEQUENCE SIZE (1..MAX) OF Extension.
 *
 * @throws `wire.duplicate` when one extension appears twice (RFC 5280 4.2): readers differ in which one they obey.
 * @throws `wire.malformed` when there is none.
 */
export function readExtensions(reader: DerReader, field = 'extensions'): Extension[] {
  const extensions = reader.sequenceOf(field, readExtension, MAX_EXTENSIONS);
  if (extensions.length === 0) throw new HoldfastError('wire.malformed', { field, reason: 'empty' });
  const seen = new Set<string>();
  for (const { oid } of extensions) {
    if (seen.has(oid)) throw new HoldfastError('wire.duplicate', { field, oid });
    seen.add(oid);
  }
  return extensions;
}

export function encodeExtension(oid: string, critical: boolean, value: Uint8Array): Uint8Array<ArrayBuffer> {
  return critical
    ? encodeSequence(encodeOid(oid), encodeBoolean(true), encodeOctetString(value))
    : encodeSequence(encodeOid(oid), encodeOctetString(value));
}

function readExtension(reader: DerReader): Extension {
  const inner = reader.sequence('extension');
  const oid = inner.oid('extnID');
  const critical = inner.defaultFalse('critical');
  const value = inner.octetString('extnValue');
  inner.end('extension');
  return { oid, critical, value };
}
