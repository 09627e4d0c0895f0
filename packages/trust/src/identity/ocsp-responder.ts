import { issueOcspResponse, OcspIssuer } from '@holdfast/crypto';
import { type Clock, type EpochMs, encodeHex, HoldfastError, type Log, toHoldfastError } from '@holdfast/kernel';
import {
  decodeCertificate,
  decodeOcspRequest,
  encodeOcspError,
  type OcspCertId,
  type OcspCertStatus,
  type OcspError,
  type OcspRequest,
} from '@holdfast/wire/x509';
import type {
  CertificateHoldRepository,
  CertificateRecord,
  CertificateRepository,
  Fingerprint,
} from '../ports/index.ts';
import type { OcspSigner } from './ocsp-signer.ts';

export interface OcspResponderPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly certificates: Pick<CertificateRepository, 'find' | 'findBySerial'>;
  readonly holds: Pick<CertificateHoldRepository, 'find'>;
  /** The authority that is answered for; its certificate and the fingerprint of it. */
  readonly issuer: Pick<CertificateRecord, 'der' | 'fingerprint'>;
  readonly signer: Pick<OcspSigner, 'current'>;
}

/** DER to send back, whatever it says. */
export type OcspAnswer =
  | { readonly kind: 'refused'; readonly error: OcspError; readonly der: Uint8Array }
  | {
      readonly kind: 'signed';
      readonly der: Uint8Array;
      readonly thisUpdate: EpochMs;
      readonly nextUpdate: EpochMs;
      /** Whether the next one who asks the same may get the same bytes: not with a nonce. */
      readonly isShared: boolean;
    };

type Signed = Extract<OcspAnswer, { kind: 'signed' }>;

/** How long an answer holds; a kept one is signed anew at half of it. */
export const OCSP_ANSWER_LIFE_MS = 3_600_000;
const MAX_KEPT = 10_000;

/**
 * Answers, for third parties, whether a certificate is revoked (RFC 6960, RFC 5019, RFC 9654).
 *
 * The registry is asked every time; what is kept is the signature under an answer that is still true.
 */
export class OcspResponder {
  readonly #ports: OcspResponderPorts;
  readonly #issuer: OcspIssuer;
  readonly #kept = new Map<string, Signed>();

  constructor(ports: OcspResponderPorts) {
    this.#ports = ports;
    this.#issuer = new OcspIssuer(decodeCertificate(ports.issuer.der));
  }

  /** Never rejects: every failure is one of the protocol's own answers. */
  async answer(requestDer: Uint8Array): Promise<OcspAnswer> {
    const request = requestOf(requestDer);
    if (request === undefined) return refused('malformedRequest');
    // RFC 6960 2.3: of an issuer that is not ours nothing can be said that its clients would believe.
    if (!request.certIds.some((certId) => this.#issuer.matches(certId))) return refused('unauthorized');
    try {
      const statuses = await Promise.all(request.certIds.map((certId) => this.#statusOf(certId)));
      return await this.#signed(request, statuses);
    } catch (error) {
      const { code, spec } = toHoldfastError(error);
      this.#ports.log.error('an ocsp request was not answered', { code });
      return refused(spec.retry ? 'tryLater' : 'internalError');
    }
  }

  async #statusOf(certId: OcspCertId): Promise<OcspCertStatus> {
    if (!this.#issuer.matches(certId)) return { kind: 'unknown' };
    const { certificates, issuer } = this.#ports;
    const certificate = await certificates.findBySerial(certId.serial);
    // Good is only what we issued: a forged serial number must not look like one of ours.
    if (certificate?.issuer !== issuer.fingerprint) return { kind: 'unknown' };
    return (
      statusOfRecord(certificate) ??
      (await this.#statusOfHold(certificate.serialNumber)) ??
      (await this.#statusOfIssuer(issuer.fingerprint))
    );
  }

  async #statusOfHold(serialNumber: string): Promise<OcspCertStatus | undefined> {
    const hold = await this.#ports.holds.find(serialNumber);
    if (hold === undefined || hold.releasedAt !== undefined) return undefined;
    return { kind: 'revoked', revokedAt: hold.heldAt - (hold.heldAt % 1000), reason: 'certificateHold' };
  }

  /** RFC 6960 2.7: with its authority a certificate falls. */
  async #statusOfIssuer(fingerprint: Fingerprint): Promise<OcspCertStatus> {
    const issuer = await this.#ports.certificates.find(fingerprint);
    const status = issuer && statusOfRecord(issuer);
    return status === undefined ? { kind: 'good' } : { ...status, reason: 'cACompromise' };
  }

  async #signed(request: OcspRequest, statuses: readonly OcspCertStatus[]): Promise<Signed> {
    const isShared = request.nonce === undefined && request.certIds.length === 1;
    const [certId] = request.certIds;
    const key = isShared && certId ? `${encodeHex(certId.raw)} ${wordsOf(statuses[0])}` : undefined;
    const now = this.#ports.clock.now();
    const kept = key === undefined ? undefined : this.#kept.get(key);
    if (kept !== undefined && now >= kept.thisUpdate && now < midLifeOf(kept)) return kept;
    try {
      const fresh = await this.#sign(request, statuses, isShared);
      if (key !== undefined && statuses[0]?.kind !== 'unknown') this.#keep(key, fresh);
      return fresh;
    } catch (error) {
      // Without a signing key an answer holds until the time it names.
      if (kept !== undefined && now < kept.nextUpdate) return kept;
      throw error;
    }
  }

  async #sign(request: OcspRequest, statuses: readonly OcspCertStatus[], isShared: boolean): Promise<Signed> {
    const { certificate, signer } = this.#ports.signer.current();
    const now = this.#ports.clock.now();
    const thisUpdate = now - (now % 1000);
    const nextUpdate = Math.min(thisUpdate + OCSP_ANSWER_LIFE_MS, certificate.validity.notAfter);
    const der = await issueOcspResponse(
      {
        responder: certificate,
        includeCertificate: true,
        producedAt: thisUpdate,
        responses: request.certIds.map(({ raw }, at) => ({
          certId: raw,
          status: statuses[at] ?? { kind: 'unknown' },
          thisUpdate,
          nextUpdate,
        })),
        ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
      },
      signer,
    );
    return { kind: 'signed', der, thisUpdate, nextUpdate, isShared };
  }

  #keep(key: string, answer: Signed): void {
    this.#kept.delete(key);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    this.#kept.set(key, answer);
  }
}

function requestOf(der: Uint8Array): OcspRequest | undefined {
  try {
    const request = decodeOcspRequest(der);
    return request.hasUnknownCritical ? undefined : request;
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return undefined;
  }
}

/** Undefined while nothing is wrong with it. */
function statusOfRecord(record: CertificateRecord): Extract<OcspCertStatus, { kind: 'revoked' }> | undefined {
  const { state, revokedAt, revocationReason } = record;
  if (state === 'active' || state === 'successor' || state === 'pending') return undefined;
  const at = revokedAt ?? record.issuedAt;
  return { kind: 'revoked', revokedAt: at - (at % 1000), reason: revocationReason ?? 'unspecified' };
}

function wordsOf(status: OcspCertStatus | undefined): string {
  return status?.kind === 'revoked' ? `revoked ${status.revokedAt} ${status.reason}` : (status?.kind ?? 'unknown');
}

function midLifeOf({ thisUpdate, nextUpdate }: Signed): EpochMs {
  return thisUpdate + (nextUpdate - thisUpdate) / 2;
}

function refused(error: OcspError): OcspAnswer {
  return { kind: 'refused', error, der: encodeOcspError(error) };
}
