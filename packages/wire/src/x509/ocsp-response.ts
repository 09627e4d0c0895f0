import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  contextPrimitive,
  decodeDer,
  type DerReader,
  encodeBitString,
  encodeContext,
  encodeContextPrimitive,
  encodeEnumerated,
  encodeGeneralizedTime,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  TAG,
} from '../asn1/index.ts';
import { type AlgorithmIdentifier, readAlgorithm } from './algorithm.ts';
import { REASON_CODES, type RevocationReason } from './crl.ts';
import {
  MAX_CERT_IDS,
  nonceExtension,
  nonceOf,
  type OcspCertId,
  readCertId,
  readOptionalExtensions,
} from './ocsp-request.ts';
import { OID } from './oids.ts';

export type OcspCertStatus =
  | { readonly kind: 'good' }
  | { readonly kind: 'revoked'; readonly revokedAt: number; readonly reason: RevocationReason }
  | { readonly kind: 'unknown' };

export interface OcspSingleResponse {
  readonly certId: Uint8Array;
  readonly status: OcspCertStatus;
  readonly thisUpdate: number;
  readonly nextUpdate: number | undefined;
}

/** OCSPResponseStatus other than successful (RFC 6960 4.2.1). */
export const OCSP_ERRORS = {
  malformedRequest: 1,
  internalError: 2,
  tryLater: 3,
  sigRequired: 5,
  unauthorized: 6,
} as const;
export type OcspError = keyof typeof OCSP_ERRORS;

export interface OcspResponseDataInput {
  /** SHA-1 of the responder's key bits: the byKey form of ResponderID. */
  readonly responderKeyHash: Uint8Array;
  readonly producedAt: number;
  readonly responses: readonly OcspSingleResponse[];
  /** As `decodeOcspRequest` gave it. */
  readonly nonce?: Uint8Array;
}

/** ResponseData, the bytes an OCSP signature covers (RFC 6960 4.2.1). */
export function encodeOcspResponseData(input: OcspResponseDataInput): Uint8Array<ArrayBuffer> {
  const extensions = input.nonce === undefined ? [] : [encodeContext(1, encodeSequence(nonceExtension(input.nonce)))];
  return encodeSequence(
    encodeContext(2, encodeOctetString(input.responderKeyHash)),
    encodeGeneralizedTime(input.producedAt),
    encodeSequence(...input.responses.map(encodeSingle)),
    ...extensions,
  );
}

/** A successful OCSPResponse around signed ResponseData; `certificates` are the delegated responder's, if any. */
export function encodeOcspResponse(input: {
  readonly responseData: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
  readonly certificates: readonly Uint8Array[];
}): Uint8Array<ArrayBuffer> {
  const certificates = input.certificates.length === 0 ? [] : [encodeContext(0, encodeSequence(...input.certificates))];
  const basic = encodeSequence(input.responseData, input.algorithm, encodeBitString(input.signature), ...certificates);
  return encodeSequence(
    encodeEnumerated(0),
    encodeContext(0, encodeSequence(encodeOid(OID.ocspBasic), encodeOctetString(basic))),
  );
}

export function encodeOcspError(error: OcspError): Uint8Array<ArrayBuffer> {
  return encodeSequence(encodeEnumerated(OCSP_ERRORS[error]));
}

export type OcspResponse =
  | { readonly kind: 'error'; readonly status: number }
  | {
      readonly kind: 'basic';
      /** The signed bytes. */
      readonly responseData: Uint8Array;
      readonly responderKeyHash: Uint8Array | undefined;
      readonly producedAt: number;
      readonly responses: readonly (OcspSingleResponse & { readonly id: OcspCertId })[];
      readonly nonce: Uint8Array | undefined;
      readonly signatureAlgorithm: AlgorithmIdentifier;
      readonly signature: Uint8Array;
      readonly certificates: readonly Uint8Array[];
    };

/** Decodes an OCSPResponse; its signature is not checked here. */
export function decodeOcspResponse(bytes: Uint8Array): OcspResponse {
  return decodeDer(bytes, 'ocspResponse', (whole): OcspResponse => {
    const reader = whole.sequence('ocspResponse');
    const status = reader.uint('responseStatus', 6, TAG.enumerated);
    const explicit = reader.enterOptional(contextConstructed(0), 'responseBytes');
    reader.end('ocspResponse');
    if ((status === 0) !== (explicit !== undefined))
      throw new HoldfastError('wire.malformed', { field: 'responseBytes' });
    if (explicit === undefined) return { kind: 'error', status };
    const inner = explicit.sequence('responseBytes');
    explicit.end('responseBytes');
    if (inner.oid('responseType') !== OID.ocspBasic)
      throw new HoldfastError('wire.unsupported', { field: 'responseType' });
    const basic = inner.octetString('response');
    inner.end('responseBytes');
    return decodeDer(basic, 'basicOCSPResponse', readBasic);
  });
}

function readBasic(whole: DerReader): OcspResponse {
  const reader = whole.sequence('basicOCSPResponse');
  const responseData = reader.any('responseData');
  const signatureAlgorithm = readAlgorithm(reader, 'signatureAlgorithm');
  const signature = reader.octetBitString('signature');
  const explicit = reader.enterOptional(contextConstructed(0), 'certs');
  const certificates = explicit?.sequenceOf('certs', (item) => item.any('certificate'), 16) ?? [];
  explicit?.end('certs');
  reader.end('basicOCSPResponse');
  return decodeDer(responseData, 'responseData', (outer): OcspResponse => {
    const data = outer.sequence('responseData');
    const byKey = data.peekTag() === contextConstructed(2);
    const responder = data.enter(contextConstructed(byKey ? 2 : 1), 'responderID');
    const responderKeyHash = byKey ? responder.octetString('responderID') : void responder.any('responderID');
    responder.end('responderID');
    const producedAt = data.generalizedTime('producedAt');
    const responses = data.sequenceOf('responses', readSingle, MAX_CERT_IDS);
    const extensions = readOptionalExtensions(data, 1, 'responseExtensions');
    data.end('responseData');
    const nonce = nonceOf(extensions);
    return {
      kind: 'basic',
      responseData,
      responderKeyHash,
      producedAt,
      responses,
      nonce,
      signatureAlgorithm,
      signature,
      certificates,
    };
  });
}

function readSingle(reader: DerReader): OcspSingleResponse & { readonly id: OcspCertId } {
  const inner = reader.sequence('singleResponse');
  const id = readCertId(inner);
  const status = readStatus(inner);
  const thisUpdate = inner.generalizedTime('thisUpdate');
  const explicit = inner.enterOptional(contextConstructed(0), 'nextUpdate');
  const nextUpdate = explicit?.generalizedTime('nextUpdate');
  explicit?.end('nextUpdate');
  readOptionalExtensions(inner, 1, 'singleExtensions');
  inner.end('singleResponse');
  return { id, certId: id.raw, status, thisUpdate, nextUpdate };
}

function readStatus(reader: DerReader): OcspCertStatus {
  const simple = { [contextPrimitive(0)]: 'good', [contextPrimitive(2)]: 'unknown' } as const;
  const kind = simple[reader.peekTag()];
  if (kind !== undefined) {
    reader.element('certStatus');
    return { kind };
  }
  const revoked = reader.enter(contextConstructed(1), 'revokedInfo');
  const revokedAt = revoked.generalizedTime('revocationTime');
  const explicit = revoked.enterOptional(contextConstructed(0), 'revocationReason');
  const code = explicit?.uint('revocationReason', 10, TAG.enumerated) ?? 0;
  revoked.end('revokedInfo');
  const reason = (Object.keys(REASON_CODES) as RevocationReason[]).find((name) => REASON_CODES[name] === code);
  if (reason === undefined) throw new HoldfastError('wire.malformed', { field: 'revocationReason' });
  return { kind: 'revoked', revokedAt, reason };
}

function encodeSingle({ certId, status, thisUpdate, nextUpdate }: OcspSingleResponse): Uint8Array {
  const next = nextUpdate === undefined ? [] : [encodeContext(0, encodeGeneralizedTime(nextUpdate))];
  return encodeSequence(certId, encodeStatus(status), encodeGeneralizedTime(thisUpdate), ...next);
}

function encodeStatus(status: OcspCertStatus): Uint8Array {
  if (status.kind === 'good') return encodeContextPrimitive(0, new Uint8Array(0));
  if (status.kind === 'unknown') return encodeContextPrimitive(2, new Uint8Array(0));
  const { revokedAt, reason } = status;
  const code = reason === 'unspecified' ? [] : [encodeContext(0, encodeEnumerated(REASON_CODES[reason]))];
  return encodeContext(1, encodeGeneralizedTime(revokedAt), ...code);
}
