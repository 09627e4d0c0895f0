import { decodeBase64, encodeBase64, encodeUtf8, type JsonValue, parseStrictJson } from '@holdfast/kernel';
import { JsonFields } from '../json/index.ts';
import type { TpmCredential } from './credential.ts';

/** What a device shows of its TPM to be let in. Areas are TPMT_PUBLIC, signatures TPMT_SIGNATURE. */
export interface TpmEnrollmentRequest {
  readonly endorsementCertificate: Uint8Array;
  /** Between the certificate and an authority that the server knows, if any. */
  readonly intermediates: readonly Uint8Array[];
  readonly endorsementKey: Uint8Array;
  readonly attestationKey: Uint8Array;
  /** Of the key in the certificate request. */
  readonly deviceKey: Uint8Array;
  /** TPM2_Certify of the device key by the attestation key, over the SHA-256 of the request. */
  readonly certification: { readonly attest: Uint8Array; readonly signature: Uint8Array };
  /** PKCS #10. */
  readonly csr: Uint8Array;
}

export interface TpmChallenge extends TpmCredential {
  /** What the server wants to see again, sealed by it. */
  readonly challenge: Uint8Array;
  readonly expiresInSeconds: number;
}

export interface TpmAnswer {
  readonly challenge: Uint8Array;
  /** What the TPM opened. */
  readonly secret: Uint8Array;
}

export interface TpmEnrolled {
  readonly deviceId: string;
  readonly certificate: Uint8Array;
}

export const TPM_ENROLLMENT_PATHS = {
  challenge: '/.well-known/holdfast/tpm/challenge',
  enroll: '/.well-known/holdfast/tpm/enroll',
} as const;

const MAX_CERTIFICATE = 4096;
const MAX_AREA = 1024;
const MAX_CSR = 4096;
const MAX_INTERMEDIATES = 4;

const json = (value: JsonValue): Uint8Array<ArrayBuffer> => encodeUtf8(JSON.stringify(value));

export function encodeTpmEnrollmentRequest(request: TpmEnrollmentRequest): Uint8Array<ArrayBuffer> {
  const { endorsementCertificate, intermediates, endorsementKey, attestationKey, deviceKey, certification, csr } =
    request;
  return json({
    endorsementCertificate: encodeBase64(endorsementCertificate),
    intermediates: intermediates.map(encodeBase64),
    endorsementKey: encodeBase64(endorsementKey),
    attestationKey: encodeBase64(attestationKey),
    deviceKey: encodeBase64(deviceKey),
    certification: { attest: encodeBase64(certification.attest), signature: encodeBase64(certification.signature) },
    csr: encodeBase64(csr),
  });
}

/** @throws `wire.malformed`, `wire.duplicate` */
export function decodeTpmEnrollmentRequest(body: Uint8Array): TpmEnrollmentRequest {
  const fields = new JsonFields(parseStrictJson(body), 'request');
  const certification = fields.object('certification');
  const request = {
    endorsementCertificate: bytesOf(fields, 'endorsementCertificate', MAX_CERTIFICATE),
    intermediates: fields
      .texts('intermediates', MAX_INTERMEDIATES, { max: base64Length(MAX_CERTIFICATE) })
      .map((each) => decodeBase64(each, 'intermediates')),
    endorsementKey: bytesOf(fields, 'endorsementKey', MAX_AREA),
    attestationKey: bytesOf(fields, 'attestationKey', MAX_AREA),
    deviceKey: bytesOf(fields, 'deviceKey', MAX_AREA),
    certification: {
      attest: bytesOf(certification, 'attest', MAX_AREA),
      signature: bytesOf(certification, 'signature', MAX_AREA),
    },
    csr: bytesOf(fields, 'csr', MAX_CSR),
  };
  certification.end();
  fields.end();
  return request;
}

export function encodeTpmChallenge({
  challenge,
  idObject,
  encryptedSecret,
  expiresInSeconds,
}: TpmChallenge): Uint8Array<ArrayBuffer> {
  return json({
    challenge: encodeBase64(challenge),
    credential: encodeBase64(idObject),
    encryptedSecret: encodeBase64(encryptedSecret),
    expiresInSeconds,
  });
}

/** @throws `wire.malformed` */
export function decodeTpmChallenge(body: Uint8Array): TpmChallenge {
  const fields = new JsonFields(parseStrictJson(body), 'challenge');
  return {
    challenge: bytesOf(fields, 'challenge', MAX_CHALLENGE),
    idObject: bytesOf(fields, 'credential', MAX_AREA),
    encryptedSecret: bytesOf(fields, 'encryptedSecret', MAX_AREA),
    expiresInSeconds: fields.integer('expiresInSeconds', { min: 1, max: 600 }),
  };
}

/** A challenge holds the request's essentials, so that the server keeps nothing. */
const MAX_CHALLENGE = 8192;

export function encodeTpmAnswer({ challenge, secret }: TpmAnswer): Uint8Array<ArrayBuffer> {
  return json({ challenge: encodeBase64(challenge), secret: encodeBase64(secret) });
}

/** @throws `wire.malformed`, `wire.duplicate` */
export function decodeTpmAnswer(body: Uint8Array): TpmAnswer {
  const fields = new JsonFields(parseStrictJson(body), 'answer');
  const answer = { challenge: bytesOf(fields, 'challenge', MAX_CHALLENGE), secret: bytesOf(fields, 'secret', 64) };
  fields.end();
  return answer;
}

export function encodeTpmEnrolled({ deviceId, certificate }: TpmEnrolled): Uint8Array<ArrayBuffer> {
  return json({ deviceId, certificate: encodeBase64(certificate) });
}

/** @throws `wire.malformed` */
export function decodeTpmEnrolled(body: Uint8Array): TpmEnrolled {
  const fields = new JsonFields(parseStrictJson(body), 'enrolled');
  return {
    deviceId: fields.text('deviceId', { max: 128 }),
    certificate: bytesOf(fields, 'certificate', MAX_CERTIFICATE),
  };
}

function bytesOf(fields: JsonFields, name: string, max: number): Uint8Array {
  return decodeBase64(fields.text(name, { max: base64Length(max) }), name);
}

function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}
