import { type ErrorCode, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  CertificateRecord,
  CertificateRepository,
  ClaimRecord,
  ClaimRepository,
  DeviceRecord,
  DeviceRepository,
  KeyOwner,
  KeyOwnerRepository,
  Outbox,
  OwnershipTokenRepository,
  ProductRepository,
  Sha256Hex,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf, type ClaimPrincipal } from '../principal.ts';
import { isLive } from './certificate-states.ts';
import type { EnrollmentContext } from './contracts.ts';
import type { ClaimFacts, RegistrationFacts } from './enrollment-policy.ts';
import { DEVICE_LIFECYCLE } from './lifecycle.ts';
import { assignedSerialNumber } from './names.ts';

export interface EnrollmentRecordPorts {
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly devices: DeviceRepository;
  readonly certificates: CertificateRepository;
  readonly keyOwners: KeyOwnerRepository;
  readonly claims: ClaimRepository;
  readonly tokens: OwnershipTokenRepository;
  readonly products: Pick<ProductRepository, 'find'>;
}

/** What the registry knows of a key that somebody enrolls with. */
export interface KeyHistory {
  readonly owner: KeyOwner | undefined;
  /** A certificate this claim got for the key and nobody used yet: the answer to it was lost. */
  readonly unused: { readonly certificate: CertificateRecord; readonly device: DeviceRecord } | undefined;
  /** Whether the key is of a device that was re-admitted and was never reported stolen. */
  readonly reopened: boolean;
}

/** A refusal as the log has it. */
export interface Refusal {
  readonly code: string;
  readonly rule: string;
  readonly audit: string;
  readonly key: Sha256Hex | undefined;
  readonly pace: { readonly unlogged?: number };
}

export type SerialChoice =
  | { readonly kind: 'named'; readonly serialNumber: string }
  | { readonly kind: 'open'; readonly code: ErrorCode };

/** Reads the facts that the policy tables judge, and compiles what a registration writes. */
export class EnrollmentRecords {
  readonly #ports: EnrollmentRecordPorts;

  constructor(ports: EnrollmentRecordPorts) {
    this.#ports = ports;
  }

  async claimFacts(principal: ClaimPrincipal, now: number): Promise<ClaimFacts> {
    const claim = await this.#ports.claims.find(principal.tenant, principal.claimId);
    if (!claim) throw new HoldfastError('identity.unknown_claim');
    return { now, claim, product: await this.#ports.products.find(claim.tenant, claim.product) };
  }

  async keyHistory(principal: ClaimPrincipal, spkiSha256: Sha256Hex): Promise<KeyHistory> {
    const owner = await this.#ports.keyOwners.find(spkiSha256);
    if (owner?.kind !== 'device' || owner.tenant !== principal.tenant) {
      return { owner, unused: undefined, reopened: false };
    }
    const device = await this.#ports.devices.find(owner.tenant, owner.id);
    const certificates = await this.#ports.certificates.ofDevice(owner.tenant, owner.id);
    const ofKey = certificates.filter((each) => each.spkiSha256 === spkiSha256);
    const unused = ofKey.find(
      (each) => each.state === 'active' && each.firstUsedAt === undefined && each.claimId === principal.claimId,
    );
    return {
      owner,
      unused: unused && device?.state === 'active' ? { certificate: unused, device } : undefined,
      reopened:
        device?.state === 'established' && !ofKey.some(({ revocationReason }) => revocationReason === 'keyCompromise'),
    };
  }

  /**
   * The serial number of a request that names none: the last free one of a list; under a quota one after the key.
   *
   * @param spkiSha256 - undefined when there is no key to name a device after
   */
  async expectedSerial(
    { scope, product, tenant, claimId }: ClaimRecord,
    spkiSha256: Sha256Hex | undefined,
  ): Promise<SerialChoice> {
    if (scope === 'quota') {
      return spkiSha256 === undefined
        ? { kind: 'open', code: 'identity.serial_required' }
        : { kind: 'named', serialNumber: assignedSerialNumber(product, spkiSha256) };
    }
    const [first, second] = await this.#ports.claims.freeSerials(tenant, claimId, 2);
    if (first === undefined) return { kind: 'open', code: 'identity.claim_used_up' };
    if (second !== undefined) return { kind: 'open', code: 'identity.serial_required' };
    return { kind: 'named', serialNumber: first };
  }

  /** @param template - undefined at doors without templates */
  async registrationFacts(
    facts: ClaimFacts,
    asked: {
      readonly serialNumber: string;
      readonly template: string | undefined;
      readonly owner: KeyOwner | undefined;
    },
  ): Promise<RegistrationFacts> {
    const { tenant, claimId } = facts.claim;
    const { devices, certificates, claims } = this.#ports;
    const device =
      (await devices.findBySerial(tenant, asked.serialNumber)) ?? (await devices.find(tenant, asked.serialNumber));
    const attached = device ? await certificates.ofDevice(tenant, device.deviceId) : [];
    return {
      ...facts,
      ...asked,
      device,
      claimSerial:
        facts.claim.scope === 'serials' ? await claims.findSerial(tenant, claimId, asked.serialNumber) : undefined,
      liveCertificates: attached.filter(isLive).length,
    };
  }

  /** The writes that make an allowed registration true; each guard fails when the facts changed meanwhile. */
  registering(
    facts: RegistrationFacts,
    certificate: Pick<CertificateRecord, 'fingerprint' | 'spkiSha256'>,
    context: EnrollmentContext,
  ): readonly Write[] {
    const { claims, audit, outbox } = this.#ports;
    const { claim, serialNumber, now } = facts;
    const { tenant, claimId } = claim;
    const deviceId = deviceIdOf(facts);
    return [
      ...this.#deviceWrites(facts),
      claims.counting(tenant, claimId),
      ...(claim.scope === 'serials' ? [claims.usingSerial(tenant, claimId, serialNumber, now)] : []),
      ...this.#ownerWrites(facts.owner, { spkiSha256: certificate.spkiSha256, tenant, kind: 'device', id: deviceId }),
      audit.entry({
        tenant,
        actor: `claim:${claimId}`,
        action: 'device.enrolled',
        subject: deviceId,
        details: {
          certificate: certificate.fingerprint,
          product: claim.product,
          door: context.door,
          remoteAddress: context.remoteAddress,
        },
      }),
      outbox.event({
        tenant,
        name: 'device.enrolled',
        subject: deviceId,
        data: { fingerprint: certificate.fingerprint, product: claim.product },
      }),
    ];
  }

  /** Gives a certificate up that nobody will attach any more. */
  abandoning(certificate: CertificateRecord, now: number): readonly Write[] {
    const { certificates, tokens } = this.#ports;
    return [
      certificates.changing(certificate, {
        state: 'abandoned',
        revokedAt: now,
        revocationReason: 'cessationOfOperation',
      }),
      tokens.voiding(certificate.fingerprint),
    ];
  }

  owning(owner: KeyOwner | undefined, wanted: KeyOwner): readonly Write[] {
    return owner === undefined ? [this.#ports.keyOwners.inserting(wanted)] : [];
  }

  refusing(
    principal: { readonly tenant: Tenant } & Parameters<typeof actorOf>[0],
    context: EnrollmentContext,
    refusal: Refusal,
  ): Write {
    return this.#ports.audit.entry({
      tenant: principal.tenant,
      actor: actorOf(principal),
      action: refusal.audit,
      subject: principal.kind === 'claim' ? principal.claimId : actorOf(principal),
      details: {
        code: refusal.code,
        rule: refusal.rule,
        door: context.door,
        remoteAddress: context.remoteAddress,
        key: refusal.key ?? null,
        ...refusal.pace,
      },
    });
  }

  #deviceWrites({ device, claim, serialNumber, now }: RegistrationFacts): readonly Write[] {
    const { devices } = this.#ports;
    const { tenant, claimId, product, hardwareRevision } = claim;
    if (device) {
      const state = DEVICE_LIFECYCLE.step(device.state, 'enroll');
      return [
        devices.changing(device, { state, stateReason: undefined, claimId, enrolledAt: device.enrolledAt ?? now }),
      ];
    }
    const made: DeviceRecord = {
      tenant,
      deviceId: serialNumber,
      product,
      serialNumber,
      hardwareRevision,
      state: DEVICE_LIFECYCLE.step(DEVICE_LIFECYCLE.initial, 'enroll'),
      stateReason: undefined,
      attributes: {},
      ueid: undefined,
      attestationAnchor: undefined,
      claimId,
      createdAt: now,
      enrolledAt: now,
      revision: 0,
    };
    return [devices.inserting(made), ...claim.groups.map((group) => devices.joining(tenant, serialNumber, group))];
  }

  #ownerWrites(from: KeyOwner | undefined, to: KeyOwner): readonly Write[] {
    const { keyOwners } = this.#ports;
    if (from === undefined) return [keyOwners.inserting(to)];
    return from.kind === 'pending' ? [keyOwners.moving(from, to)] : [];
  }
}

/** A device the registry does not know yet is named by its serial number. */
export function deviceIdOf({ device, serialNumber }: Pick<RegistrationFacts, 'device' | 'serialNumber'>): string {
  return device?.deviceId ?? serialNumber;
}
