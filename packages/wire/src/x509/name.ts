import { encodeHex, HoldfastError } from '@holdfast/kernel';
import {
  decodeDer,
  decodeDerString,
  type DerReader,
  encodeIa5String,
  encodeOid,
  encodePrintableString,
  encodeSequence,
  encodeSetOf,
  encodeUtf8String,
  TAG,
} from '../asn1/index.ts';
import { OID } from './oids.ts';

/** One AttributeTypeAndValue; `text` is undefined when the value is not a character string. */
export interface NameAttribute {
  readonly type: string;
  readonly tag: number;
  readonly text: string | undefined;
  /** The value's raw encoding. */
  readonly value: Uint8Array;
}

/** A distinguished name in encoding order; `raw` is what is compared and copied, never the text. */
export interface Name {
  readonly raw: Uint8Array;
  readonly rdns: readonly (readonly NameAttribute[])[];
}

interface AttributeRule {
  readonly type: string;
  /** Upper bound in characters (RFC 5280 appendix A.1). */
  readonly limit: number;
  readonly encode: (text: string) => Uint8Array;
}

/** The attributes we write, by name. */
const ATTRIBUTES = {
  commonName: { type: OID.commonName, limit: 64, encode: encodeUtf8String },
  serialNumber: { type: OID.serialNumber, limit: 64, encode: encodePrintableString },
  country: { type: OID.country, limit: 2, encode: encodePrintableString },
  locality: { type: OID.locality, limit: 128, encode: encodeUtf8String },
  state: { type: OID.state, limit: 128, encode: encodeUtf8String },
  organization: { type: OID.organization, limit: 64, encode: encodeUtf8String },
  organizationalUnit: { type: OID.organizationalUnit, limit: 64, encode: encodeUtf8String },
  title: { type: OID.title, limit: 64, encode: encodeUtf8String },
  dnQualifier: { type: OID.dnQualifier, limit: 64, encode: encodePrintableString },
  domainComponent: { type: OID.domainComponent, limit: 63, encode: encodeIa5String },
  userId: { type: OID.userId, limit: 256, encode: encodeUtf8String },
  emailAddress: { type: OID.emailAddress, limit: 255, encode: encodeIa5String },
} as const satisfies Record<string, AttributeRule>;

export type NameAttributeType = keyof typeof ATTRIBUTES;

/** One relative distinguished name of one attribute. */
export interface NamePart {
  readonly type: NameAttributeType;
  readonly value: string;
}

const MAX_RDNS = 4096;

export function readName(reader: DerReader, field: string): Name {
  return decodeName(reader.element(field).raw, field);
}

/** Decodes an RDNSequence (RFC 5280 4.1.2.4). */
export function decodeName(raw: Uint8Array, field = 'name'): Name {
  const rdns = decodeDer(raw, field, (reader) => reader.sequenceOf(field, (rdn) => readRdn(rdn, field), MAX_RDNS));
  return { raw, rdns };
}

/**
 * An RDNSequence of single-attribute RDNs, in the order given.
 *
 * @throws `wire.malformed` for an empty value or a control character, so that no printed form of the name can mislead.
 * @throws `wire.too_large` for a value longer than its attribute's upper bound.
 */
export function encodeName(parts: readonly NamePart[]): Uint8Array<ArrayBuffer> {
  return encodeSequence(...parts.map(encodePart));
}

/** The texts of one attribute type, in order. */
export function attributeTexts(name: Name, type: string): string[] {
  return name.rdns.flat().flatMap((attribute) => (attribute.type === type ? [attribute.text ?? ''] : []));
}

/**
 * A key that is equal for names RFC 5280 7.1 calls equal: white space collapsed and case folded for string
 * types, other types byte for byte. For path building and directoryName constraints, never for identity.
 */
export function normalizedName(name: Name): string {
  return normalizedRdns(name).join('\n');
}

/** One normalised key for each RDN, so that a prefix of a name can be compared. */
export function normalizedRdns(name: Name): string[] {
  return name.rdns.map((rdn) => rdn.map(normalizedAttribute).sort().join('+'));
}

const FOLDED: ReadonlySet<number> = new Set([TAG.utf8String, TAG.printableString, TAG.ia5String]);

function normalizedAttribute({ type, tag, text, value }: NameAttribute): string {
  if (text === undefined || !FOLDED.has(tag)) return `${type}=#${encodeHex(value)}`;
  const folded = text.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ');
  return `${type}=${JSON.stringify(folded)}`;
}

const SHORT_NAMES: Readonly<Record<string, string>> = {
  [OID.commonName]: 'CN',
  [OID.serialNumber]: 'serialNumber',
  [OID.country]: 'C',
  [OID.locality]: 'L',
  [OID.state]: 'ST',
  [OID.organization]: 'O',
  [OID.organizationalUnit]: 'OU',
  [OID.domainComponent]: 'DC',
  [OID.userId]: 'UID',
};

/** For people to read (RFC 4514, most specific first); never parsed or compared. */
export function nameText(name: Name): string {
  return [...name.rdns]
    .reverse()
    .map((rdn) => rdn.map(attributeText).join('+'))
    .join(',');
}

function attributeText({ type, text, value }: NameAttribute): string {
  const label = SHORT_NAMES[type];
  if (label === undefined || text === undefined) return `${label ?? type}=#${encodeHex(value)}`;
  const escaped = text
    .replace(/[\\",+;<>=]/g, '\\$&')
    .replace(/^[ #]| $/g, '\\$&')
    .replace(/\p{C}/gu, (char) =>
      [...new TextEncoder().encode(char)].map((o) => `\\${encodeHex(Uint8Array.of(o))}`).join(''),
    );
  return `${label}=${escaped}`;
}

function readRdn(reader: DerReader, field: string): NameAttribute[] {
  const attributes = reader.setOf(field, (item) => readAttribute(item, field));
  if (attributes.length === 0) throw new HoldfastError('wire.malformed', { field, reason: 'empty RDN' });
  return attributes;
}

function readAttribute(reader: DerReader, field: string): NameAttribute {
  const pair = reader.sequence(field);
  const type = pair.oid(`${field}.type`);
  const value = pair.any(`${field}.value`);
  pair.end(field);
  const element = decodeDer(value, field, (inner) => inner.element(field));
  const isString = STRING_TAGS.has(element.tag);
  // BIT STRING is x500UniqueIdentifier's; no attribute of a name has another type (X.520, RFC 5280 appendix A.1).
  if (!isString && element.tag !== TAG.bitString) {
    throw new HoldfastError('wire.malformed', { field, reason: 'name value', tag: element.tag });
  }
  return {
    type,
    tag: element.tag,
    text: isString ? decodeDerString(element, field) : undefined,
    value,
  };
}

const STRING_TAGS: ReadonlySet<number> = new Set([
  TAG.utf8String,
  TAG.printableString,
  TAG.numericString,
  TAG.ia5String,
  TAG.teletexString,
  TAG.bmpString,
  TAG.universalString,
]);

function encodePart({ type, value }: NamePart): Uint8Array {
  const rule: AttributeRule = ATTRIBUTES[type];
  if (value.length === 0 || /\p{C}/u.test(value)) throw new HoldfastError('wire.malformed', { field: type });
  if (Array.from(value).length > rule.limit)
    throw new HoldfastError('wire.too_large', { field: type, limit: rule.limit });
  return encodeSetOf(encodeSequence(encodeOid(rule.type), rule.encode(value)));
}
