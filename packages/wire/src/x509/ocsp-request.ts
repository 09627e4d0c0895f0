import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  decodeDer,
  type DerReader,
  encodeContext,
  encodeOctetString,
  encodeSequence,
  encodeUnsigned,
} from '../asn1/index.ts';
import { encodeAlgorithm, readAlgorithm } from './algorithm.ts';
import { serialHex } from './certificate.ts';
import { encodeExtension, type Extension, readExtensions } from './extension.ts';
import { OID } from './oids.ts';

/** CertID (RFC 6960 4.1.1). */
export interface OcspCertId {
  readonly hashAlgorithm: string;
  readonly issuerNameHash: Uint8Array;
  readonly issuerKeyHash: Uint8Array;
  /** Lower-case hex. */
  readonly serial: string;
  /** The raw encoding, to be echoed. */
  readonly raw: Uint8Array;
}

export interface OcspRequest {
  readonly certIds: readonly OcspCertId[];
  /** The nonce extension's value as received, to be echoed; an OCTET STRING inside the extension's OCTET STRING. */
  readonly nonce: Uint8Array | undefined;
  readonly hasUnknownCritical: boolean;
}

const MAX_REQUEST = 16 * 1024;
export const MAX_CERT_IDS = 64;
const MAX_NONCE = 128; // RFC 9654 2.1

/**
 * Decodes an OCSPRequest (RFC 6960 4.1.1). A signature on it is neither needed nor checked.
 *
 * @throws `wire.malformed` for a nonce of 0 or more than 128 octets (RFC 9654), no CertID, and other broken forms.
 */
export function decodeOcspRequest(bytes: Uint8Array): OcspRequest {
  if (bytes.length > MAX_REQUEST) throw new HoldfastError('wire.too_large', { field: 'ocsp', limit: MAX_REQUEST });
  return decodeDer(bytes, 'ocspRequest', (whole) => {
    const outer = whole.sequence('ocspRequest');
    const reader = outer.sequence('tbsRequest');
    if (outer.peekTag() === contextConstructed(0)) outer.any('optionalSignature');
    outer.end('ocspRequest');
    if (reader.peekTag() === contextConstructed(1)) reader.any('requestorName');
    const items = reader.sequenceOf('requestList', readRequest, MAX_CERT_IDS);
    const extensions = readOptionalExtensions(reader, 2, 'requestExtensions');
    reader.end('tbsRequest');
    if (items.length === 0) throw new HoldfastError('wire.malformed', { field: 'requestList', reason: 'empty' });
    const all = [...items.flatMap((item) => item.extensions), ...extensions];
    return {
      certIds: items.map((item) => item.certId),
      nonce: nonceOf(extensions),
      hasUnknownCritical: all.some(({ oid, critical }) => critical && oid !== OID.ocspNonce),
    };
  });
}

/** An OCSPRequest for one certificate; the nonce is at most 128 octets. */
export function encodeOcspRequest(certId: Uint8Array, nonce?: Uint8Array): Uint8Array<ArrayBuffer> {
  const extensions =
    nonce === undefined ? [] : [encodeContext(2, encodeSequence(nonceExtension(encodeOctetString(nonce))))];
  return encodeSequence(encodeSequence(encodeSequence(encodeSequence(certId)), ...extensions));
}

/** CertID from hashes already made: of the issuer's name encoding and of its key bits. */
export function encodeOcspCertId(input: {
  readonly hashAlgorithm: string;
  readonly issuerNameHash: Uint8Array;
  readonly issuerKeyHash: Uint8Array;
  readonly serial: Uint8Array;
}): Uint8Array<ArrayBuffer> {
  return encodeSequence(
    encodeAlgorithm(input.hashAlgorithm),
    encodeOctetString(input.issuerNameHash),
    encodeOctetString(input.issuerKeyHash),
    encodeUnsigned(input.serial),
  );
}

function readRequest(reader: DerReader): { certId: OcspCertId; extensions: readonly Extension[] } {
  const inner = reader.sequence('request');
  const certId = readCertId(inner);
  const extensions = readOptionalExtensions(inner, 0, 'singleRequestExtensions');
  inner.end('request');
  return { certId, extensions };
}

export function readCertId(reader: DerReader): OcspCertId {
  const raw = reader.any('certID');
  return decodeDer(raw, 'certID', (whole) => {
    const inner = whole.sequence('certID');
    const { oid } = readAlgorithm(inner, 'hashAlgorithm');
    const issuerNameHash = inner.octetString('issuerNameHash');
    const issuerKeyHash = inner.octetString('issuerKeyHash');
    const serial = serialHex(inner.integerBytes('serialNumber'));
    inner.end('certID');
    return { hashAlgorithm: oid, issuerNameHash, issuerKeyHash, serial, raw };
  });
}

export function readOptionalExtensions(reader: DerReader, number: number, field: string): readonly Extension[] {
  const explicit = reader.enterOptional(contextConstructed(number), field);
  if (explicit === undefined) return [];
  const extensions = readExtensions(explicit, field);
  explicit.end(field);
  return extensions;
}

/** The nonce extension's value. @throws `wire.malformed` for 0 or more than 128 octets (RFC 9654 2.1). */
export function nonceOf(extensions: readonly Extension[]): Uint8Array | undefined {
  const found = extensions.find(({ oid }) => oid === OID.ocspNonce);
  if (found === undefined) return undefined;
  const nonce = decodeDer(found.value, 'nonce', (reader) => reader.octetString('nonce'));
  if (nonce.length === 0 || nonce.length > MAX_NONCE) throw new HoldfastError('wire.malformed', { field: 'nonce' });
  return found.value;
}

export function nonceExtension(value: Uint8Array): Uint8Array {
  return encodeExtension(OID.ocspNonce, false, value);
}
