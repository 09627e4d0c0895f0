import { type ErrorCode, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  CertificateHoldRepository,
  CertificateRecord,
  CertificateRepository,
  ClaimRecord,
  ClaimRepository,
  DeviceRecord,
  DeviceRepository,
  KeyOwner,
  KeyOwnerRepository,
  ManufacturerRepository,
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
import { grantorOf, orderOf, planIn, type ProvisioningWish } from './registration-order.ts';
import { TemplateDesk, type TemplateDeskPorts } from './template-desk.ts';
import type { TemplatePlan } from './template-plan.ts';
import { plannedChange, plannedWrites } from './template-writes.ts';

export interface EnrollmentRecordPorts extends TemplateDeskPorts {
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly devices: DeviceRepository;
  readonly certificates: CertificateRepository;
  readonly keyOwners: KeyOwnerRepository;
  readonly claims: ClaimRepository;
  readonly tokens: OwnershipTokenRepository;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly holds: Pick<CertificateHoldRepository, 'holding'>;
  readonly manufacturers: Pick<ManufacturerRepository, 'guarding'>;
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
  readonly #desk: TemplateDesk;

  constructor(ports: EnrollmentRecordPorts) {
    this.#ports = ports;
    this.#desk = new TemplateDesk(ports);
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
      readonly provisioning?: ProvisioningWish | undefined;
    },
  ): Promise<RegistrationFacts> {
    const { tenant, claimId } = facts.claim;
    const { devices, certificates, claims } = this.#ports;
    const { template, owner, provisioning } = asked;
    const plan = facts.claim.template && (await this.#desk.plan(orderOf(facts, asked.serialNumber, provisioning)));
    const { serialNumber, deviceId } = plan && plan.kind === 'planned' ? plan : { ...asked, deviceId: undefined };
    const device =
      (await devices.findBySerial(tenant, serialNumber)) ?? (await devices.find(tenant, deviceId ?? serialNumber));
    const attached = device ? await certificates.ofDevice(tenant, device.deviceId) : [];
    return {
      ...facts,
      serialNumber,
      template,
      owner,
      device,
      claimSerial: facts.claim.scope === 'serials' ? await claims.findSerial(tenant, claimId, serialNumber) : undefined,
      liveCertificates: attached.filter(isLive).length,
      plan: plan || undefined,
      groups: device && (await devices.groupsOf(tenant, device.deviceId)),
      policies: device && plan ? await this.#policiesOf(tenant, device.deviceId) : [],
    };
  }

  /** What a device that registered before is told again. */
  planAgain(facts: ClaimFacts, provisioning: ProvisioningWish): Promise<TemplatePlan | undefined> {
    return this.#desk.planAgain(orderOf(facts, '', provisioning));
  }

  #policiesOf(tenant: Tenant, deviceId: string): Promise<readonly string[]> {
    return this.#ports.policies.attachedTo(tenant, { kind: 'device', id: deviceId });
  }

  /** The writes that make an allowed registration true; each guard fails when the facts changed meanwhile. */
  registering(
    facts: RegistrationFacts,
    certificate: Pick<CertificateRecord, 'fingerprint' | 'spkiSha256'>,
    context: EnrollmentContext,
  ): readonly Write[] {
    const { audit, outbox } = this.#ports;
    const { claim, groups, now } = facts;
    const { tenant } = claim;
    const deviceId = deviceIdOf(facts);
    const plan = planIn(facts);
    return [
      ...this.#deviceWrites(facts),
      ...this.#countWrites(facts),
      ...(plan ? plannedWrites(this.#ports, plan, { tenant, deviceId, groups, now }) : []),
      ...this.#ownerWrites(facts.owner, { spkiSha256: certificate.spkiSha256, tenant, kind: 'device', id: deviceId }),
      audit.entry({
        tenant,
        actor: grantorOf(facts),
        action: 'device.enrolled',
        subject: deviceId,
        details: {
          certificate: certificate.fingerprint,
          product: claim.product,
          door: context.door,
          remoteAddress: context.remoteAddress,
          ...(context.station && { operator: context.station.operator, keyOrigin: context.station.keyOrigin }),
          ...(plan && { template: plan.template.name, templateVersion: plan.template.version }),
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

  /** What lets the device in is used up by one; what stands behind it must still be so. */
  #countWrites(facts: RegistrationFacts): readonly Write[] {
    const { claims, templates, manufacturers } = this.#ports;
    const { claim, serialNumber, now, grantor } = facts;
    const { tenant, claimId } = claim;
    const plan = planIn(facts);
    const counted = plan ? [templates.counting(plan.template)] : [];
    if (grantor?.kind === 'manufacturer') return [manufacturers.guarding(grantor.manufacturer), ...counted];
    if (grantor !== undefined) return counted;
    const used = claim.scope === 'serials' ? [claims.usingSerial(tenant, claimId, serialNumber, now)] : [];
    return [claims.counting(tenant, claimId), ...used, ...counted];
  }

  #deviceWrites(facts: RegistrationFacts): readonly Write[] {
    const { device, claim, serialNumber, now } = facts;
    const { devices } = this.#ports;
    const { tenant, product, hardwareRevision } = claim;
    const claimId = facts.grantor === undefined ? claim.claimId : undefined;
    const plan = planIn(facts);
    const planned = plan ? plannedChange(plan, device) : {};
    if (device) {
      const state = DEVICE_LIFECYCLE.step(device.state, 'enroll');
      const enrolledAt = device.enrolledAt ?? now;
      return [devices.changing(device, { state, stateReason: undefined, claimId, enrolledAt, ...planned })];
    }
    const made: DeviceRecord = {
      tenant,
      deviceId: deviceIdOf(facts),
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
      ...planned,
    };
    return [devices.inserting(made), ...claim.groups.map((group) => devices.joining(tenant, made.deviceId, group))];
  }

  #ownerWrites(from: KeyOwner | undefined, to: KeyOwner): readonly Write[] {
    const { keyOwners } = this.#ports;
    if (from === undefined) return [keyOwners.inserting(to)];
    return from.kind === 'pending' ? [keyOwners.moving(from, to)] : [];
  }
}

/** A device the registry does not know yet is named by its template, or by its serial number. */
export function deviceIdOf(facts: Pick<RegistrationFacts, 'device' | 'serialNumber' | 'plan'>): string {
  return facts.device?.deviceId ?? planIn(facts)?.deviceId ?? facts.serialNumber;
}
