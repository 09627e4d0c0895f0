import { type Clock, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  CertificateRecord,
  CertificateRepository,
  ClaimRepository,
  DeviceId,
  DeviceRepository,
  Fingerprint,
  Outbox,
  OwnershipTokenRepository,
  RevocationReason,
  Store,
  Write,
} from '../ports/index.ts';
import { actorOf } from '../principal.ts';
import { isUnrevoked } from './certificate-states.ts';
import { onFreshRead } from './fresh-read.ts';
import { DEVICE_LIFECYCLE } from './lifecycle.ts';
import type { RegistryActor } from './registry.ts';

export interface RevocationPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly devices: DeviceRepository;
  readonly certificates: CertificateRepository;
  readonly claims: ClaimRepository;
  readonly tokens: OwnershipTokenRepository;
}

export interface RevocationOutcome {
  readonly kind: 'revoked' | 'already-revoked';
  /** Device id, fingerprint or claim id. */
  readonly subject: string;
  /** Certificates this call revoked. */
  readonly certificates: readonly Fingerprint[];
}

/**
 * Ends devices, certificates and claims.
 *
 * Every call states its event again, also when all was revoked before: whoever missed the cut makes it now.
 */
export class Revocation {
  readonly #ports: RevocationPorts;

  constructor(ports: RevocationPorts) {
    this.#ports = ports;
  }

  /**
   * Revokes a device with all its certificates and the open tokens of the claim that enrolled it.
   *
   * @throws `identity.unknown_device`; `kernel.invalid_transition` for an archived one
   */
  device(principal: RegistryActor, deviceId: DeviceId, reason: RevocationReason): Promise<RevocationOutcome> {
    return onFreshRead(async () => {
      const { devices, certificates, tokens, audit, outbox, store } = this.#ports;
      const { tenant } = principal;
      const device = await devices.find(tenant, deviceId);
      if (!device) throw new HoldfastError('identity.unknown_device');
      const isFirst = device.state !== 'revoked';
      const live = (await certificates.ofDevice(tenant, deviceId)).filter(isUnrevoked);
      await store.commit([
        ...(isFirst
          ? [
              devices.changing(device, {
                state: DEVICE_LIFECYCLE.step(device.state, 'revoke'),
                stateReason: `revoked: ${reason}`,
              }),
              audit.entry({
                tenant,
                actor: actorOf(principal),
                action: 'device.revoked',
                subject: deviceId,
                details: { reason, certificates: live.length },
              }),
            ]
          : []),
        ...(device.claimId === undefined ? [] : [tokens.voidingOfClaim(tenant, device.claimId)]),
        ...live.flatMap((each) => this.#certificateWrites(principal, each, reason)),
        outbox.event({ tenant, name: 'device.revoked', subject: deviceId, data: { reason } }),
      ]);
      return outcome(isFirst, deviceId, live);
    });
  }

  /** @throws `identity.unknown_certificate` */
  certificate(
    principal: RegistryActor,
    fingerprint: Fingerprint,
    reason: RevocationReason,
  ): Promise<RevocationOutcome> {
    return onFreshRead(async () => {
      const { certificates, outbox, store } = this.#ports;
      const certificate = await certificates.find(fingerprint);
      if (certificate?.tenant !== principal.tenant) throw new HoldfastError('identity.unknown_certificate');
      const live = isUnrevoked(certificate) ? [certificate] : [];
      await store.commit(
        live.length > 0
          ? live.flatMap((each) => this.#certificateWrites(principal, each, reason))
          : [outbox.event(revokedEvent(certificate, reason))],
      );
      return outcome(live.length > 0, fingerprint, live);
    });
  }

  /** @throws `identity.unknown_claim` */
  claim(principal: RegistryActor, claimId: string, reason: RevocationReason): Promise<RevocationOutcome> {
    return onFreshRead(async () => {
      const { claims, certificates, tokens, audit, outbox, store } = this.#ports;
      const { tenant } = principal;
      const claim = await claims.find(tenant, claimId);
      if (!claim) throw new HoldfastError('identity.unknown_claim');
      const isFirst = claim.state === 'active';
      const own = await certificates.find(claim.fingerprint);
      const pending = await certificates.pendingOfClaim(tenant, claimId);
      const live = [...(own ? [own] : []), ...pending].filter(isUnrevoked);
      await store.commit([
        ...(isFirst
          ? [
              claims.revoking(claim),
              audit.entry({
                tenant,
                actor: actorOf(principal),
                action: 'claim.revoked',
                subject: claimId,
                details: { reason, used: claim.used },
              }),
            ]
          : []),
        tokens.voidingOfClaim(tenant, claimId),
        ...live.flatMap((each) => this.#certificateWrites(principal, each, reason)),
        outbox.event({
          tenant,
          name: 'claim.revoked',
          subject: claimId,
          data: { fingerprint: claim.fingerprint, reason },
        }),
      ]);
      return outcome(isFirst, claimId, live);
    });
  }

  #certificateWrites(
    principal: RegistryActor,
    certificate: CertificateRecord,
    reason: RevocationReason,
  ): readonly Write[] {
    const { certificates, tokens, audit, outbox, clock } = this.#ports;
    return [
      certificates.changing(certificate, { state: 'revoked', revokedAt: clock.now(), revocationReason: reason }),
      tokens.voiding(certificate.fingerprint),
      audit.entry({
        tenant: certificate.tenant,
        actor: actorOf(principal),
        action: 'certificate.revoked',
        subject: certificate.fingerprint,
        details: { reason, subject: certificate.subjectId ?? null, serialNumber: certificate.serialNumber },
      }),
      outbox.event(revokedEvent(certificate, reason)),
    ];
  }
}

function revokedEvent(certificate: CertificateRecord, reason: RevocationReason) {
  const { tenant, fingerprint, profile, state, subjectId } = certificate;
  // One that was replaced before says nothing of its device: what the device left behind is its successor's.
  const isOfDevice = profile === 'device' && state !== 'superseded' && state !== 'abandoned';
  return {
    tenant,
    name: 'certificate.revoked',
    subject: fingerprint,
    data: { deviceId: isOfDevice ? (subjectId ?? null) : null, reason },
  } as const;
}

function outcome(isFirst: boolean, subject: string, revoked: readonly CertificateRecord[]): RevocationOutcome {
  return {
    kind: isFirst ? 'revoked' : 'already-revoked',
    subject,
    certificates: revoked.map(({ fingerprint }) => fingerprint),
  };
}
