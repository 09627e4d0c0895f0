import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  decodeDer,
  type DerReader,
  encodeInteger,
  encodeOctetString,
  encodeOid,
  encodePrintableString,
  encodeSequence,
  encodeSetOf,
  TAG,
} from '../asn1/index.ts';
import { type AlgorithmIdentifier, readAlgorithm } from './algorithm.ts';
import { type Extension, readExtensions } from './extension.ts';
import { decodeKnownExtensions, type KnownExtensions } from './known-extensions.ts';
import { type Name, readName } from './name.ts';
import { OID } from './oids.ts';
import { readSpki, type SubjectPublicKeyInfo } from './public-key.ts';

/** A PKCS #10 request as its sender wrote it: wishes, of which policy takes the key alone. */
export interface CertificationRequestInfo {
  readonly raw: Uint8Array;
  /** CertificationRequestInfo, the bytes the proof of possession covers. */
  readonly tbs: Uint8Array;
  readonly subject: Name;
  readonly spki: SubjectPublicKeyInfo;
  /** Attribute types present, in order. */
  readonly attributeTypes: readonly string[];
  readonly requestedExtensions: readonly Extension[];
  readonly requested: KnownExtensions;
  /** Text of challengePassword, where EST clients put their channel binding (RFC 7030 3.5). */
  readonly challengePassword: string | undefined;
  /** Whom a key that the server makes is to be encrypted for (RFC 7030 4.4.1.2). */
  readonly asymmetricDecryptKeyId: Uint8Array | undefined;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
}

const MAX_REQUEST = 16 * 1024;
const MAX_CHALLENGE = 255; // RFC 2985 5.4.1

/**
 * Decodes a PKCS #10 CertificationRequest (RFC 2986). The proof of possession is not checked here.
 *
 * @throws `wire.too_large` over 16 KiB; `wire.duplicate` for an attribute given twice; `wire.malformed` and the like.
 */
export function decodeCertificationRequest(bytes: Uint8Array): CertificationRequestInfo {
  if (bytes.length > MAX_REQUEST) throw new HoldfastError('wire.too_large', { field: 'csr', limit: MAX_REQUEST });
  return decodeDer(bytes, 'csr', (whole) => {
    const reader = whole.sequence('csr');
    const tbs = reader.expect(TAG.sequence, 'certificationRequestInfo').raw;
    const signatureAlgorithm = readAlgorithm(reader, 'signatureAlgorithm');
    const signature = reader.octetBitString('signature');
    reader.end('csr');
    return { raw: bytes, tbs, ...decodeInfo(tbs), signatureAlgorithm, signature };
  });
}

/** CertificationRequestInfo to sign: name, key, and extensions asked for. `challengePassword` is PrintableString. */
export function encodeCertificationRequestInfo(input: {
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions?: readonly Uint8Array[];
  readonly challengePassword?: string;
  /** RFC 7030 4.4.1.2: the key a server's key is to be encrypted for. */
  readonly asymmetricDecryptKeyId?: Uint8Array;
}): Uint8Array<ArrayBuffer> {
  const attributes: Uint8Array[] = [];
  if (input.challengePassword !== undefined) {
    attributes.push(encodeAttribute(OID.challengePassword, encodePrintableString(input.challengePassword)));
  }
  if (input.extensions !== undefined && input.extensions.length > 0) {
    attributes.push(encodeAttribute(OID.extensionRequest, encodeSequence(...input.extensions)));
  }
  if (input.asymmetricDecryptKeyId !== undefined) {
    attributes.push(encodeAttribute(OID.asymmetricDecryptKeyId, encodeOctetString(input.asymmetricDecryptKeyId)));
  }
  const sorted = encodeSetOf(...attributes);
  sorted[0] = contextConstructed(0);
  return encodeSequence(encodeInteger(0), input.subject, input.spki, sorted);
}

interface Attributes {
  readonly attributeTypes: readonly string[];
  readonly requestedExtensions: readonly Extension[];
  readonly requested: KnownExtensions;
  readonly challengePassword: string | undefined;
  readonly asymmetricDecryptKeyId: Uint8Array | undefined;
}

function decodeInfo(tbs: Uint8Array): Attributes & { subject: Name; spki: SubjectPublicKeyInfo } {
  return decodeDer(tbs, 'certificationRequestInfo', (whole) => {
    const reader = whole.sequence('certificationRequestInfo');
    reader.uint('version', 0);
    const subject = readName(reader, 'subject');
    const spki = readSpki(reader);
    // Mandatory by RFC 2986 4.1, but some small clients leave the empty set out.
    const attributes = reader.isAtEnd ? [] : reader.setOf('attributes', readAttribute, contextConstructed(0));
    reader.end('certificationRequestInfo');
    return { subject, spki, ...readAttributes(attributes) };
  });
}

interface Attribute {
  readonly type: string;
  readonly value: Uint8Array;
}

function readAttribute(reader: DerReader): Attribute {
  const inner = reader.sequence('attribute');
  const type = inner.oid('attribute.type');
  const values = inner.setOf('attribute.values', (item) => item.any('attribute.value'));
  inner.end('attribute');
  const [value] = values;
  if (value === undefined || values.length > 1) throw new HoldfastError('wire.malformed', { field: 'attribute' });
  return { type, value };
}

function readAttributes(attributes: readonly Attribute[]): Attributes {
  const attributeTypes = attributes.map(({ type }) => type);
  if (new Set(attributeTypes).size !== attributeTypes.length) {
    throw new HoldfastError('wire.duplicate', { field: 'attributes' });
  }
  const extensions = attributes.find(({ type }) => type === OID.extensionRequest);
  const challenge = attributes.find(({ type }) => type === OID.challengePassword);
  const decryptKey = attributes.find(({ type }) => type === OID.asymmetricDecryptKeyId);
  const requestedExtensions =
    extensions === undefined ? [] : decodeDer(extensions.value, 'extensionRequest', readExtensions);
  return {
    attributeTypes,
    requestedExtensions,
    requested: decodeKnownExtensions(requestedExtensions),
    challengePassword: challenge === undefined ? undefined : readChallenge(challenge.value),
    asymmetricDecryptKeyId:
      decryptKey && decodeDer(decryptKey.value, 'decryptKeyId', (reader) => reader.octetString('decryptKeyId')),
  };
}

function readChallenge(value: Uint8Array): string {
  const text = decodeDer(value, 'challengePassword', (reader) => reader.string('challengePassword'));
  if (text.length > MAX_CHALLENGE) {
    throw new HoldfastError('wire.too_large', { field: 'challengePassword', limit: MAX_CHALLENGE });
  }
  return text;
}

function encodeAttribute(type: string, value: Uint8Array): Uint8Array {
  return encodeSequence(encodeOid(type), encodeSetOf(value));
}
