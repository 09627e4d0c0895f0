export { decodeOid, encodeOidContent } from './oid.ts';
export { type BitString, compareEncodings } from './primitives.ts';
export { decodeDer, DerElement, DerReader, type DerTime } from './reader.ts';
export { decodeDerString } from './strings.ts';
export { contextConstructed, contextPrimitive, TAG } from './tags.ts';
export {
  encodeBitString,
  encodeBoolean,
  encodeContext,
  encodeContextPrimitive,
  encodeEnumerated,
  encodeGeneralizedTime,
  encodeIa5String,
  encodeInteger,
  encodeNamedBits,
  encodeNull,
  encodeOctetString,
  encodeOid,
  encodePrintableString,
  encodeSequence,
  encodeSequenceOf,
  encodeSetOf,
  encodeTime,
  encodeTlv,
  encodeUnsigned,
  encodeUtf8String,
  ia5Content,
} from './writer.ts';
