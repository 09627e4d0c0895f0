import { HoldfastError } from '@holdfast/kernel';
import { decodeOid } from './oid.ts';
import { checkInteger, decodeBitString } from './primitives.ts';
import { decodeDerString } from './strings.ts';
import { TAG } from './tags.ts';
import { decodeGeneralizedTime, decodeUtcTime } from './time.ts';

interface UniversalElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly offset: number;
}

type Check = (element: UniversalElement, field: string) => unknown;

const integer: Check = ({ content, offset }, field) => checkInteger(content, field, offset);
const sized =
  (accepts: (content: Uint8Array) => boolean): Check =>
  ({ content, offset }, field) => {
    if (!accepts(content)) throw new HoldfastError('wire.malformed', { field, offset, reason: 'content' });
  };
const accepted: Check = () => undefined;

/** What the content of each universal type must look like; a type that is not here has no place in what we read. */
const CHECKS: Readonly<Record<number, Check>> = {
  [TAG.boolean]: sized((content) => content.length === 1 && (content[0] === 0 || content[0] === 0xff)),
  [TAG.integer]: integer,
  [TAG.enumerated]: integer,
  [TAG.bitString]: ({ content, offset }, field) => decodeBitString(content, field, offset),
  [TAG.octetString]: accepted,
  [TAG.null]: sized((content) => content.length === 0),
  [TAG.oid]: ({ content, offset }, field) => decodeOid(content, field, offset),
  [TAG.utcTime]: decodeUtcTime,
  [TAG.generalizedTime]: decodeGeneralizedTime,
  [TAG.utf8String]: decodeDerString,
  [TAG.printableString]: decodeDerString,
  [TAG.numericString]: decodeDerString,
  [TAG.ia5String]: decodeDerString,
  [TAG.visibleString]: decodeDerString,
  [TAG.teletexString]: decodeDerString,
  [TAG.bmpString]: decodeDerString,
  [TAG.universalString]: decodeDerString,
  [TAG.sequence]: accepted,
  [TAG.set]: accepted,
};

/**
 * Checks an element nobody has interpreted yet by its own universal type; DER's constructed strings are refused so
 * (X.690 10.2). Context-specific elements say nothing about their type.
 */
export function checkUniversal(element: UniversalElement, field: string): void {
  if ((element.tag & 0xc0) !== 0) return;
  const check = CHECKS[element.tag];
  if (check === undefined) {
    throw new HoldfastError('wire.malformed', { field, offset: element.offset, reason: 'type', tag: element.tag });
  }
  check(element, field);
}
