import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  decodeDer,
  decodeDerString,
  type DerReader,
  encodeContext,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeSequenceOf,
  encodeSetOf,
  encodeTlv,
  TAG,
} from '../asn1/index.ts';

const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const CERT_BAG = '1.2.840.113549.1.12.10.1.3';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const FRIENDLY_NAME = '1.2.840.113549.1.9.20';
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21';
const MAX_BAGS = 32;

/** A key under a password (EncryptedPrivateKeyInfo, DER) or a certificate (DER). */
export interface SafeBag {
  readonly kind: 'shrouded-key' | 'certificate';
  readonly value: Uint8Array;
  readonly friendlyName?: string;
  /** The same at a key and its certificate. */
  readonly localKeyId?: Uint8Array;
}

/** @see RFC 7292 section 4.2 */
export function encodeSafeContents(bags: readonly SafeBag[]): Uint8Array<ArrayBuffer> {
  return encodeSequenceOf(bags.map(encodeBag));
}

/** @throws `wire.*`; `wire.unsupported` for bags of other kinds; `wire.duplicate` for an attribute given twice */
export function decodeSafeContents(bytes: Uint8Array): SafeBag[] {
  return decodeDer(bytes, 'safeContents', (whole) => whole.sequenceOf('safeContents', readBag, MAX_BAGS));
}

function encodeBag({ kind, value, friendlyName, localKeyId }: SafeBag): Uint8Array {
  const attributes = [
    ...(friendlyName === undefined ? [] : [attribute(FRIENDLY_NAME, encodeTlv(TAG.bmpString, toBmp(friendlyName)))]),
    ...(localKeyId === undefined ? [] : [attribute(LOCAL_KEY_ID, encodeOctetString(localKeyId))]),
  ];
  const content =
    kind === 'shrouded-key'
      ? value
      : encodeSequence(encodeOid(X509_CERTIFICATE), encodeContext(0, encodeOctetString(value)));
  return encodeSequence(
    encodeOid(kind === 'shrouded-key' ? SHROUDED_KEY_BAG : CERT_BAG),
    encodeContext(0, content),
    ...(attributes.length === 0 ? [] : [encodeSetOf(...attributes)]),
  );
}

function attribute(oid: string, value: Uint8Array): Uint8Array {
  return encodeSequence(encodeOid(oid), encodeSetOf(value));
}

function readBag(reader: DerReader): SafeBag {
  const bag = reader.sequence('safeBag');
  const id = bag.oid('bagId');
  const content = bag.enter(contextConstructed(0), 'bagValue');
  const [kind, value] = readBagValue(id, content);
  content.end('bagValue');
  const attributes = bag.isAtEnd ? {} : readAttributes(bag);
  bag.end('safeBag');
  return { kind, value, ...attributes };
}

function readBagValue(id: string, content: DerReader): [SafeBag['kind'], Uint8Array] {
  if (id === SHROUDED_KEY_BAG) return ['shrouded-key', content.any('encryptedPrivateKeyInfo')];
  if (id !== CERT_BAG) throw new HoldfastError('wire.unsupported', { field: 'bagId' });
  const cert = content.sequence('certBag');
  if (cert.oid('certId') !== X509_CERTIFICATE) throw new HoldfastError('wire.unsupported', { field: 'certId' });
  const explicit = cert.enter(contextConstructed(0), 'certValue');
  const value = explicit.octetString('certValue');
  explicit.end('certValue');
  cert.end('certBag');
  return ['certificate', value];
}

function readAttributes(bag: DerReader): Pick<SafeBag, 'friendlyName' | 'localKeyId'> {
  const found: { friendlyName?: string; localKeyId?: Uint8Array } = {};
  bag.setOf('bagAttributes', (reader) => {
    const each = reader.sequence('attribute');
    const id = each.oid('attrId');
    const values = each.enter(TAG.set, 'attrValues');
    each.end('attribute');
    if (id === FRIENDLY_NAME && found.friendlyName === undefined) {
      found.friendlyName = decodeDerString(values.expect(TAG.bmpString, 'friendlyName'), 'friendlyName');
    } else if (id === LOCAL_KEY_ID && found.localKeyId === undefined) {
      found.localKeyId = values.octetString('localKeyId');
    } else {
      const isRepeated = id === FRIENDLY_NAME || id === LOCAL_KEY_ID;
      throw new HoldfastError(isRepeated ? 'wire.duplicate' : 'wire.unsupported', { field: 'bagAttributes' });
    }
    values.end('attrValues');
  });
  return found;
}

/** UTF-16 big endian, as BMPString has it. @throws `wire.malformed` for a character outside the basic plane */
export function toBmp(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 * text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit <= 0xdfff) throw new HoldfastError('wire.malformed', { field: 'bmpString' });
    bytes[2 * at] = unit >> 8;
    bytes[2 * at + 1] = unit & 0xff;
  }
  return bytes;
}
