import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  contextPrimitive,
  type DerReader,
  encodeContext,
  encodeContextPrimitive,
  encodeOid,
  encodeOidContent,
  ia5Content,
} from '../asn1/index.ts';
import { decodeName, type Name } from './name.ts';

/** GeneralName (RFC 5280 4.2.1.6). `other.value` and `unparsed.raw` are raw encodings. */
export type GeneralName =
  | { readonly kind: 'other'; readonly type: string; readonly value: Uint8Array }
  | { readonly kind: 'email' | 'dns' | 'uri'; readonly text: string }
  | { readonly kind: 'directory'; readonly name: Name }
  /** 4 or 16 bytes; in name constraints twice that, address then mask. */
  | { readonly kind: 'ip'; readonly bytes: Uint8Array }
  | { readonly kind: 'registeredId'; readonly oid: string }
  /** x400Address or ediPartyName. */
  | { readonly kind: 'unparsed'; readonly tag: number; readonly raw: Uint8Array };

const IA5_TAGS: Readonly<Record<number, 'email' | 'dns' | 'uri'>> = {
  [contextPrimitive(1)]: 'email',
  [contextPrimitive(2)]: 'dns',
  [contextPrimitive(6)]: 'uri',
};
const IA5_NUMBERS = { email: 1, dns: 2, uri: 6 } as const;

export function readGeneralName(reader: DerReader, field: string): GeneralName {
  const tag = reader.peekTag();
  const ia5 = IA5_TAGS[tag];
  if (ia5 !== undefined) return { kind: ia5, text: reader.ia5String(field, tag) };
  if (tag === contextConstructed(0)) return readOtherName(reader, field);
  if (tag === contextConstructed(4)) {
    const inner = reader.enter(tag, field);
    const name = decodeName(inner.any(field), field);
    inner.end(field);
    return { kind: 'directory', name };
  }
  if (tag === contextPrimitive(7)) return { kind: 'ip', bytes: reader.octetString(field, tag) };
  if (tag === contextPrimitive(8)) return { kind: 'registeredId', oid: reader.oid(field, tag) };
  if (tag === contextConstructed(3) || tag === contextConstructed(5)) {
    return { kind: 'unparsed', tag, raw: reader.any(field) };
  }
  throw new HoldfastError('wire.malformed', { field, offset: reader.offset, reason: 'general name' });
}

export function encodeGeneralName(name: GeneralName): Uint8Array {
  switch (name.kind) {
    case 'other':
      return encodeContext(0, encodeOid(name.type), encodeContext(0, name.value));
    case 'email':
    case 'dns':
    case 'uri':
      return encodeContextPrimitive(IA5_NUMBERS[name.kind], ia5Content(name.text));
    case 'directory':
      return encodeContext(4, name.name.raw);
    case 'ip':
      return encodeContextPrimitive(7, name.bytes);
    case 'registeredId':
      return encodeContextPrimitive(8, encodeOidContent(name.oid));
    default:
      return name.raw;
  }
}

function readOtherName(reader: DerReader, field: string): GeneralName {
  const inner = reader.enter(contextConstructed(0), field);
  const type = inner.oid(`${field}.typeId`);
  const explicit = inner.enter(contextConstructed(0), `${field}.value`);
  const value = explicit.any(`${field}.value`);
  explicit.end(field);
  inner.end(field);
  return { kind: 'other', type, value };
}
