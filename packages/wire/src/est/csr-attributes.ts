import { HoldfastError } from '@holdfast/kernel';
import { decodeDer, type DerReader, encodeOid, encodeSequence, encodeSetOf, TAG } from '../asn1/index.ts';

/** One entry of CsrAttrs: an object identifier alone, or an attribute with its values. */
export type CsrAttribute =
  | { readonly kind: 'oid'; readonly oid: string }
  /** `values` are whole encodings. */
  | { readonly kind: 'attribute'; readonly type: string; readonly values: readonly Uint8Array[] };

const MAX_ENTRIES = 64;

/** CsrAttrs ::= SEQUENCE OF AttrOrOID (RFC 7030 4.5.2, RFC 9908 section 3). */
export function encodeCsrAttributes(attributes: readonly CsrAttribute[]): Uint8Array<ArrayBuffer> {
  return encodeSequence(
    ...attributes.map((entry) =>
      entry.kind === 'oid' ? encodeOid(entry.oid) : encodeSequence(encodeOid(entry.type), encodeSetOf(...entry.values)),
    ),
  );
}

/** @throws `wire.malformed`, `wire.truncated`, `wire.trailing_bytes`; `wire.duplicate` for a type given twice */
export function decodeCsrAttributes(bytes: Uint8Array): readonly CsrAttribute[] {
  const attributes = decodeDer(bytes, 'csrattrs', (whole) => whole.sequenceOf('csrattrs', readEntry, MAX_ENTRIES));
  const types = attributes.map((entry) => (entry.kind === 'oid' ? entry.oid : entry.type));
  // RFC 9908 3.2: at most one of each; two would be two answers to one question.
  if (new Set(types).size !== types.length) throw new HoldfastError('wire.duplicate', { field: 'csrattrs' });
  return attributes;
}

function readEntry(reader: DerReader): CsrAttribute {
  if (reader.peekTag() === TAG.oid) return { kind: 'oid', oid: reader.oid('csrattrs.oid') };
  const inner = reader.sequence('csrattrs.attribute');
  const type = inner.oid('csrattrs.type');
  const values = inner.setOf('csrattrs.values', (item) => item.any('csrattrs.value'));
  inner.end('csrattrs.attribute');
  return { kind: 'attribute', type, values };
}
