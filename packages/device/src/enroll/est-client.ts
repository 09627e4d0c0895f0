import { createCsr, encodeSignatureAlgorithm } from '@holdfast/crypto';
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { decodeCertsOnly } from '@holdfast/wire/cms';
import { encodePem } from '@holdfast/wire/pem';
import {
  type Certificate,
  encodeCertificationRequestInfo,
  encodeExtension,
  encodeSigned,
  OID,
} from '@holdfast/wire/x509';
import { type DeviceKey, signerOf } from '../keys/key-store.ts';
import type { HttpsClient } from '../net/https-client.ts';

export interface EstServer {
  readonly host: string;
  readonly port: number;
  /** Path segment between `est` and the operation (RFC 7030 3.2.2). */
  readonly label?: string;
}

const MAX_REPLY = 65_536;
const MAX_WAIT_SECONDS = 3600;

/** A certificate, or how long the server asks to wait before the same request is sent again (RFC 7030 4.2.3). */
export type EstReply =
  | { readonly kind: 'issued'; readonly certificatePem: string }
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number };

/** Enrolls and renews over EST; the client certificate is that of the HTTPS client. */
export class EstClient {
  readonly #https: HttpsClient;
  readonly #server: EstServer;

  constructor(https: HttpsClient, server: EstServer) {
    this.#https = https;
    this.#server = server;
  }

  /** A first certificate for `key`; the subject asks for a serial number, the registry decides. */
  async enroll(serial: string, key: DeviceKey, signal?: AbortSignal): Promise<EstReply> {
    const subject = [
      { type: 'commonName', value: serial },
      { type: 'serialNumber', value: serial },
    ] as const;
    return this.#send('simpleenroll', await createCsr({ subject }, signerOf(key)), signal);
  }

  /** A new certificate for the same names and another key (RFC 7030 4.2.2: subject and SAN identical). */
  async renew(current: Certificate, key: DeviceKey, signal?: AbortSignal): Promise<EstReply> {
    const signer = signerOf(key);
    const san = current.extensions.filter(({ oid }) => oid === OID.subjectAltName);
    const tbs = encodeCertificationRequestInfo({
      subject: current.subject.raw,
      spki: key.publicKey.spki,
      extensions: san.map(({ oid, critical, value }) => encodeExtension(oid, critical, value)),
    });
    const csr = encodeSigned(tbs, encodeSignatureAlgorithm(signer.algorithm), await signer.sign(tbs));
    return this.#send('simplereenroll', csr, signal);
  }

  async #send(operation: string, csr: Uint8Array, signal?: AbortSignal): Promise<EstReply> {
    const { host, port, label } = this.#server;
    const path = ['', '.well-known', 'est', ...(label === undefined ? [] : [label]), operation].join('/');
    const reply = await this.#https.send(
      {
        method: 'POST',
        url: `https://${host}:${port}${path}`,
        headers: { 'Content-Type': 'application/pkcs10', Accept: 'application/pkcs7-mime' },
        body: encodeUtf8(encodeBase64(csr)),
        limit: MAX_REPLY,
      },
      signal,
    );
    if (reply.status === 202) {
      const seconds = Number(reply.headers['retry-after'] ?? 'x');
      return {
        kind: 'pending',
        retryAfterSeconds: Number.isInteger(seconds) ? Math.min(Math.max(seconds, 1), MAX_WAIT_SECONDS) : 60,
      };
    }
    if (reply.status !== 200) throw refusal(reply.status);
    return { kind: 'issued', certificatePem: encodePem('CERTIFICATE', onlyCertificate(reply.body)) };
  }
}

/** RFC 8951 section 3: base64, whatever white space in it. */
function onlyCertificate(body: Uint8Array): Uint8Array {
  const certificates = decodeCertsOnly(decodeBase64(decodeUtf8(body).replaceAll(/\s/g, ''), 'est reply'));
  const [certificate] = certificates;
  if (certificate === undefined || certificates.length !== 1) {
    throw new HoldfastError('wire.malformed', { field: 'est reply', reason: 'not one certificate' });
  }
  return certificate;
}

function refusal(status: number): HoldfastError {
  return status >= 500 || status === 429
    ? new HoldfastError('device.no_answer', { status })
    : new HoldfastError('device.enrollment_rejected', { status });
}
