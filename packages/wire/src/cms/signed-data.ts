import { concatBytes, equalBytes, HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  contextPrimitive,
  decodeDer,
  DerReader,
  encodeContext,
  encodeInteger,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeSetOf,
  encodeTime,
  TAG,
} from '../asn1/index.ts';
import { type AlgorithmIdentifier, OID, readAlgorithm } from '../x509/index.ts';

/** Whom a signer says it is: the certificate with this issuer and serial, or with this key identifier. */
export type SignerIdentifier =
  | { readonly kind: 'issuer-and-serial'; readonly issuer: Uint8Array; readonly serial: Uint8Array }
  | { readonly kind: 'key-identifier'; readonly keyIdentifier: Uint8Array };

/** A SignedData by one signer (RFC 5652 section 5). Byte arrays are views. */
export interface SignedData {
  /** The signed content, or undefined when it is kept elsewhere. */
  readonly content: Uint8Array | undefined;
  /** Whole certificates, in the order found. */
  readonly certificates: readonly Uint8Array[];
  readonly signer: SignerIdentifier;
  readonly digestAlgorithm: AlgorithmIdentifier;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  /** The attributes as SET OF: what the signature covers. */
  readonly covered: Uint8Array;
  readonly messageDigest: Uint8Array;
  /** Milliseconds since the Unix epoch, as the signer claims. */
  readonly signingTime: number | undefined;
}

const MAX_CERTIFICATES = 8;
const MAX_ATTRIBUTES = 8;

/**
 * Decodes a SignedData that one signer made with signed attributes; what nobody signed (CRLs, unsigned attributes, more
 * signers) is refused.
 *
 * @throws `wire.truncated`, `wire.malformed`, `wire.too_large`, `wire.duplicate`, `wire.trailing_bytes`
 */
export function decodeSignedData(bytes: Uint8Array): SignedData {
  return decodeDer(bytes, 'contentInfo', (whole) => {
    const info = whole.sequence('contentInfo');
    if (info.oid('contentType') !== OID.signedData) throw malformed('contentType');
    const explicit = info.enter(contextConstructed(0), 'content');
    info.end('contentInfo');
    const reader = explicit.sequence('signedData');
    explicit.end('content');
    return readSignedData(reader);
  });
}

function readSignedData(reader: DerReader): SignedData {
  const version = reader.uint('version', 5);
  const digests = reader.setOf('digestAlgorithms', (item) => readAlgorithm(item, 'digestAlgorithm'));
  const encapsulated = reader.sequence('encapContentInfo');
  if (encapsulated.oid('eContentType') !== OID.data) throw malformed('eContentType');
  const content = encapsulated.enterOptional(contextConstructed(0), 'eContent');
  const octets = content?.octetString('eContent');
  content?.end('eContent');
  encapsulated.end('encapContentInfo');
  const set = reader.enterOptional(contextConstructed(0), 'certificates');
  const certificates =
    set?.rest('certificates', (item) => item.expect(TAG.sequence, 'certificate').raw, MAX_CERTIFICATES) ?? [];
  // Nobody signed the set: a second copy would make a second file of the same signature.
  if (certificates.some((raw, index) => certificates.slice(0, index).some((other) => equalBytes(raw, other))))
    throw new HoldfastError('wire.duplicate', { field: 'certificates' });
  const infos = reader.enter(TAG.set, 'signerInfos');
  const signer = readSignerInfo(infos.sequence('signerInfo'));
  infos.end('signerInfos');
  reader.end('signedData');
  const [digest] = digests;
  if (digests.length !== 1 || digest === undefined || !equalBytes(digest.raw, signer.digestAlgorithm.raw))
    throw malformed('digestAlgorithms');
  // RFC 5652 5.1: 3 where a signer is named by its key, 1 otherwise.
  if (version !== (signer.signer.kind === 'key-identifier' ? 3 : 1)) throw malformed('version');
  return { content: octets, certificates, ...signer };
}

function readSignerInfo(reader: DerReader): Omit<SignedData, 'content' | 'certificates'> {
  const version = reader.uint('version', 3);
  const byKey = reader.peekTag() === contextPrimitive(0);
  if (version !== (byKey ? 3 : 1)) throw malformed('version');
  const signer: SignerIdentifier = byKey
    ? { kind: 'key-identifier', keyIdentifier: reader.octetString('subjectKeyIdentifier', contextPrimitive(0)) }
    : readIssuerAndSerial(reader.sequence('issuerAndSerialNumber'));
  const digestAlgorithm = readAlgorithm(reader, 'digestAlgorithm');
  const attributes = reader.expect(contextConstructed(0), 'signedAttrs').raw;
  // RFC 5652 5.4: signed with the tag of a SET OF in place of the implicit one.
  const covered = concatBytes(Uint8Array.of(TAG.set), attributes.subarray(1));
  const signatureAlgorithm = readAlgorithm(reader, 'signatureAlgorithm');
  const signature = reader.octetString('signature');
  reader.end('signerInfo');
  return { signer, digestAlgorithm, signatureAlgorithm, signature, covered, ...readAttributes(covered) };
}

function readIssuerAndSerial(reader: DerReader): SignerIdentifier {
  const issuer = reader.expect(TAG.sequence, 'issuer').raw;
  const serial = reader.integerBytes('serialNumber');
  reader.end('issuerAndSerialNumber');
  return { kind: 'issuer-and-serial', issuer, serial };
}

/** Content type and digest are mandatory, each with one value (RFC 5652 11.1, 11.2). */
function readAttributes(covered: Uint8Array): { messageDigest: Uint8Array; signingTime: number | undefined } {
  const values = new Map<string, DerReader>();
  const add = (attribute: DerReader): void => {
    const reader = attribute.sequence('attribute');
    const type = reader.oid('attrType');
    if (values.has(type)) throw new HoldfastError('wire.duplicate', { field: 'attrType' });
    if (values.size === MAX_ATTRIBUTES)
      throw new HoldfastError('wire.too_large', { field: 'signedAttrs', limit: MAX_ATTRIBUTES });
    const [value, ...more] = reader.enter(TAG.set, 'attrValues').rest('attrValues', (item) => item.any('attrValue'), 4);
    reader.end('attribute');
    if (value === undefined || more.length > 0) throw malformed('attrValues');
    values.set(type, new DerReader(value));
  };
  decodeDer(covered, 'signedAttrs', (whole) => whole.setOf('signedAttrs', add));
  if (values.get(OID.contentType)?.oid('contentType') !== OID.data) throw malformed('contentType attribute');
  const messageDigest = values.get(OID.messageDigest)?.octetString('messageDigest');
  if (messageDigest === undefined) throw malformed('messageDigest');
  return { messageDigest, signingTime: values.get(OID.signingTime)?.time('signingTime').at };
}

/** The attributes a signer signs, as SET OF. @param signingTime - milliseconds since the Unix epoch; cut to the second. */
export function encodeSignedAttributes(
  messageDigest: Uint8Array,
  signingTime: number,
  contentType: string = OID.data,
): Uint8Array<ArrayBuffer> {
  const attribute = (type: string, value: Uint8Array) => encodeSequence(encodeOid(type), encodeSetOf(value));
  return encodeSetOf(
    attribute(OID.contentType, encodeOid(contentType)),
    attribute(OID.signingTime, encodeTime(signingTime)),
    attribute(OID.messageDigest, encodeOctetString(messageDigest)),
  );
}

/** What a SignedData is put together from; algorithms are whole AlgorithmIdentifiers. */
export interface SignedDataInput {
  /** Plain data unless given. */
  readonly contentType?: string;
  /** Left out of the file when undefined. */
  readonly content: Uint8Array | undefined;
  readonly certificates: readonly Uint8Array[];
  readonly issuer: Uint8Array;
  readonly serial: Uint8Array;
  readonly digestAlgorithm: Uint8Array;
  readonly signatureAlgorithm: Uint8Array;
  /** From {@link encodeSignedAttributes}. */
  readonly covered: Uint8Array;
  readonly signature: Uint8Array;
}

/** A SignedData by the certificate with this issuer and serial. */
export function encodeSignedData(input: SignedDataInput): Uint8Array<ArrayBuffer> {
  return encodeSequence(encodeOid(OID.signedData), encodeContext(0, encodeSignedDataContent(input)));
}

/** The same without its ContentInfo, as an envelope encrypts it. */
export function encodeSignedDataContent(input: SignedDataInput): Uint8Array<ArrayBuffer> {
  const {
    contentType = OID.data,
    content,
    certificates,
    issuer,
    serial,
    digestAlgorithm,
    signatureAlgorithm,
    covered,
    signature,
  } = input;
  const octets = content === undefined ? [] : [encodeContext(0, encodeOctetString(content))];
  const serialNumber = concatBytes(Uint8Array.of(TAG.integer, serial.length), serial);
  const signerInfo = encodeSequence(
    encodeInteger(1),
    encodeSequence(issuer, serialNumber),
    digestAlgorithm,
    concatBytes(Uint8Array.of(contextConstructed(0)), covered.subarray(1)),
    signatureAlgorithm,
    encodeOctetString(signature),
  );
  return encodeSequence(
    // RFC 5652 5.1: 3 for anything but plain data.
    encodeInteger(contentType === OID.data ? 1 : 3),
    encodeSetOf(digestAlgorithm),
    encodeSequence(encodeOid(contentType), ...octets),
    encodeContext(0, ...certificates),
    encodeSetOf(signerInfo),
  );
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field });
}
