import type { EpochMs, ErrorCode } from '@holdfast/kernel';
import type {
  AuditLog,
  CertificateRecord,
  CertificateRepository,
  ClaimRepository,
  DeviceRepository,
  Fingerprint,
  Outbox,
  Store,
  Write,
} from '../ports/index.ts';
import { refusalOfCertificate, refusalOfClaim, refusalOfDevice } from './certificate-standing.ts';
import type { PeerIdentifier, PeerVerdict } from './contracts.ts';
import { onFreshRead } from './fresh-read.ts';

export interface PeerIdentityPorts {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly devices: Pick<DeviceRepository, 'find'>;
  readonly certificates: CertificateRepository;
  readonly claims: Pick<ClaimRepository, 'find'>;
}

/**
 * Says who a peer is, after TLS proved that it holds the key.
 *
 * The registry decides, on every connection: TLS looks at neither revocation nor dates when it resumes a session.
 */
export class PeerIdentity implements PeerIdentifier {
  readonly #ports: PeerIdentityPorts;

  constructor(ports: PeerIdentityPorts) {
    this.#ports = ports;
  }

  identify(fingerprint: Fingerprint, now: EpochMs): Promise<PeerVerdict> {
    return onFreshRead(async () => {
      const found = await this.#ports.certificates.findWithIssuer(fingerprint);
      const certificate = found?.certificate;
      const code = refusalOfCertificate(certificate, now);
      if (certificate === undefined || code !== undefined) {
        return refused(code ?? 'identity.unknown_certificate', certificate?.subjectId);
      }
      if (found?.issuerState !== 'active') return refused('identity.certificate_revoked', certificate.subjectId);
      return this.#holder(certificate, now);
    });
  }

  #holder(certificate: CertificateRecord, now: EpochMs): Promise<PeerVerdict> | PeerVerdict {
    const { tenant, profile, subjectId = '' } = certificate;
    if (profile === 'device') return this.#device(certificate, now);
    if (profile === 'claim') return this.#claim(certificate, now);
    if (profile !== 'operator') return refused('identity.certificate_purpose', subjectId);
    return {
      kind: 'operator',
      principal: { kind: 'operator', tenant, name: subjectId, via: 'certificate' },
      certificate,
    };
  }

  async #claim(certificate: CertificateRecord, now: EpochMs): Promise<PeerVerdict> {
    const { tenant, fingerprint, subjectId: claimId = '' } = certificate;
    const claim = await this.#ports.claims.find(tenant, claimId);
    const code = refusalOfClaim(claim, now);
    if (claim === undefined || code !== undefined) return refused(code ?? 'identity.unknown_claim', claimId);
    return { kind: 'claim', principal: { kind: 'claim', tenant, claimId, fingerprint }, claim, certificate };
  }

  async #device(certificate: CertificateRecord, now: EpochMs): Promise<PeerVerdict> {
    const { tenant, fingerprint, subjectId: deviceId = '' } = certificate;
    const device = await this.#ports.devices.find(tenant, deviceId);
    const code = refusalOfDevice(device);
    if (device === undefined || code !== undefined) return refused(code ?? 'identity.unknown_device', deviceId);
    const isFirstUse = certificate.state === 'successor' || certificate.firstUsedAt === undefined;
    if (isFirstUse) await this.#ports.store.commit(await this.#using(certificate, now));
    return {
      kind: 'device',
      principal: { kind: 'device', tenant, deviceId, fingerprint },
      device,
      certificate: isFirstUse ? { ...certificate, state: 'active', firstUsedAt: now } : certificate,
    };
  }

  /** The first use of a renewed certificate ends the one before it: two working keys would be one too many. */
  async #using(certificate: CertificateRecord, now: EpochMs): Promise<readonly Write[]> {
    const { certificates, audit, outbox } = this.#ports;
    const { tenant, fingerprint, subjectId: deviceId = '' } = certificate;
    const used = certificates.changing(certificate, { state: 'active', firstUsedAt: now });
    if (certificate.state !== 'successor') return [used];
    const others = await certificates.ofDevice(tenant, deviceId);
    const replaced = others.filter(({ state }) => state === 'active');
    return [
      ...replaced.map((each) =>
        certificates.changing(each, { state: 'superseded', revokedAt: now, revocationReason: 'superseded' }),
      ),
      used,
      audit.entry({
        tenant,
        actor: `device:${deviceId}`,
        action: 'certificate.superseded',
        subject: replaced[0]?.fingerprint ?? fingerprint,
        details: { device: deviceId, successor: fingerprint },
      }),
      ...replaced.map((each) =>
        outbox.event({
          tenant,
          name: 'certificate.superseded',
          subject: each.fingerprint,
          data: { deviceId, reason: 'superseded' },
        }),
      ),
    ];
  }
}

function refused(code: ErrorCode, subjectId: string | undefined): PeerVerdict {
  return { kind: 'refused', code, subjectId };
}
