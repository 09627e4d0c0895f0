import { sha256 } from '@holdfast/crypto';
import { type Clock, encodeHex, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  CertificateHoldRepository,
  CertificateRepository,
  DeviceFilter,
  DeviceId,
  DeviceRecord,
  DeviceRepository,
  EventName,
  KeyOwnerRepository,
  Outbox,
  Page,
  PageRequest,
  ProductRepository,
  RatchetRepository,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal, type SystemPrincipal } from '../principal.ts';
import { checkAttestationAnchor } from './attestation-anchor.ts';
import { isLive } from './certificate-states.ts';
import type { QuarantineFinding } from './clone-trap.ts';
import { onFreshRead } from './fresh-read.ts';
import { DEVICE_LIFECYCLE, type DeviceEvent } from './lifecycle.ts';
import { checkAttributes, checkDeviceName, checkGroupNames } from './names.ts';

export interface RegistryPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly devices: DeviceRepository;
  readonly certificates: CertificateRepository;
  readonly keyOwners: Pick<KeyOwnerRepository, 'find' | 'inserting'>;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly holds: Pick<CertificateHoldRepository, 'holding' | 'releasing'>;
  readonly ratchets: Pick<RatchetRepository, 'forgetting'>;
}

export type RegistryActor = OperatorPrincipal | SystemPrincipal;

/** The factory step: what the registry knows before the device ever connects. */
export interface EstablishWish {
  readonly deviceId: DeviceId;
  /** The device id unless given. */
  readonly serialNumber?: string;
  readonly product: string;
  readonly hardwareRevision: string;
  readonly groups?: readonly string[];
  readonly attributes?: Readonly<Record<string, string>>;
  /** Lower-case hex RFC 9711 UEID. */
  readonly ueid?: string;
  /** DER SubjectPublicKeyInfo of a P-256 key, with the UEID that evidence under it names. */
  readonly attestationAnchor?: Uint8Array;
}

interface Act {
  readonly event: DeviceEvent;
  readonly action: string;
  readonly notice: EventName | undefined;
  readonly reason: string | undefined;
  readonly details: Readonly<Record<string, string | number>>;
}

const BEGINS_ANEW: ReadonlySet<DeviceEvent> = new Set(['readmit', 'reopen', 'archive']);

const UEID = /^(?:[0-9a-f]{2}){7,33}$/;

/** Devices and their lifecycle. */
export class Registry {
  readonly #ports: RegistryPorts;

  constructor(ports: RegistryPorts) {
    this.#ports = ports;
  }

  /**
   * @throws `identity.bad_device_name`, `identity.unknown_product`, `identity.wrong_hardware`, `identity.device_exists`;
   * `identity.key_reuse` for the anchor of another device: with one between them, each could speak for the other.
   */
  async establish(principal: RegistryActor, wish: EstablishWish): Promise<DeviceRecord> {
    const { devices, products, store, audit, clock } = this.#ports;
    const { tenant } = principal;
    const device = deviceFrom(tenant, wish, clock.now());
    const product = await products.find(tenant, device.product);
    if (!product) throw new HoldfastError('identity.unknown_product', { product: device.product });
    if (!product.hardwareRevisions.includes(device.hardwareRevision)) {
      throw new HoldfastError('identity.wrong_hardware', { product: device.product });
    }
    const known =
      (await devices.find(tenant, device.deviceId)) ?? (await devices.findBySerial(tenant, device.serialNumber));
    if (known) throw new HoldfastError('identity.device_exists', { deviceId: known.deviceId });
    await store.commit([
      devices.inserting(device),
      ...(await this.#anchoring(device)),
      ...checkGroupNames(wish.groups).map((group) => devices.joining(tenant, device.deviceId, group)),
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'device.established',
        subject: device.deviceId,
        details: {
          product: device.product,
          hardwareRevision: device.hardwareRevision,
          anchored: device.attestationAnchor !== undefined,
        },
      }),
    ]);
    return device;
  }

  async #anchoring({ tenant, deviceId, attestationAnchor }: DeviceRecord): Promise<readonly Write[]> {
    if (attestationAnchor === undefined) return [];
    const spkiSha256 = encodeHex(sha256(attestationAnchor));
    const { keyOwners } = this.#ports;
    if (await keyOwners.find(spkiSha256)) throw new HoldfastError('identity.key_reuse', { field: 'attestationAnchor' });
    return [keyOwners.inserting({ spkiSha256, tenant, kind: 'attestation', id: deviceId })];
  }

  list(tenant: Tenant, filter: DeviceFilter, page: PageRequest): Promise<Page<DeviceRecord>> {
    return this.#ports.devices.list(tenant, filter, page);
  }

  /** @throws `identity.unknown_device` */
  async show(tenant: Tenant, deviceId: DeviceId): Promise<DeviceRecord> {
    const device = await this.#ports.devices.find(tenant, deviceId);
    if (!device) throw new HoldfastError('identity.unknown_device');
    return device;
  }

  groups(tenant: Tenant, deviceId: DeviceId): Promise<readonly string[]> {
    return this.#ports.devices.groupsOf(tenant, deviceId);
  }

  /** @throws `kernel.invalid_transition` when the device is not in use */
  suspend(principal: RegistryActor, deviceId: DeviceId, reason = 'suspended by an operator'): Promise<DeviceRecord> {
    return this.#act(principal, deviceId, () => ({
      event: 'suspend',
      action: 'device.suspended',
      notice: 'device.suspended',
      reason,
      details: { reason },
    }));
  }

  /** Holds a device back until an operator decides; a device that is held or gone already stays as it is. */
  async quarantine(principal: RegistryActor, deviceId: DeviceId, finding: QuarantineFinding): Promise<DeviceRecord> {
    return onFreshRead(async () => {
      const device = await this.show(principal.tenant, deviceId);
      if (DEVICE_LIFECYCLE.next(device.state, 'quarantine') === undefined) return device;
      await this.#ports.store.commit(this.quarantining(principal, device, finding));
      return this.show(principal.tenant, deviceId);
    });
  }

  /** The writes of a quarantine, for a unit that decided it on other grounds. */
  quarantining(principal: RegistryActor, device: DeviceRecord, finding: QuarantineFinding): readonly Write[] {
    return this.#writes(principal, device, {
      event: 'quarantine',
      action: 'device.quarantined',
      notice: 'device.quarantined',
      reason: finding.words,
      details: { code: finding.code, ...finding.details },
    });
  }

  /**
   * Takes a held device back with the certificate it has; a device without one may enroll again.
   *
   * @throws `kernel.invalid_transition` when the device is in use or archived
   */
  readmit(principal: RegistryActor, deviceId: DeviceId): Promise<DeviceRecord> {
    return this.#act(principal, deviceId, async (device) => {
      const certificates = await this.#ports.certificates.ofDevice(device.tenant, device.deviceId);
      const event = certificates.some(isLive) ? 'readmit' : 'reopen';
      return { event, action: 'device.readmitted', notice: 'device.readmitted', reason: undefined, details: { event } };
    });
  }

  /** @throws `kernel.invalid_transition` unless the device is revoked or was never enrolled */
  archive(principal: RegistryActor, deviceId: DeviceId): Promise<DeviceRecord> {
    return this.#act(principal, deviceId, () => ({
      event: 'archive',
      action: 'device.archived',
      notice: undefined,
      reason: undefined,
      details: {},
    }));
  }

  async setGroups(principal: RegistryActor, deviceId: DeviceId, groups: readonly string[]): Promise<readonly string[]> {
    const { devices, store, audit } = this.#ports;
    const { tenant } = principal;
    await this.show(tenant, deviceId);
    const wanted = new Set(checkGroupNames(groups));
    const present = await devices.groupsOf(tenant, deviceId);
    await store.commit([
      ...present.filter((group) => !wanted.has(group)).map((group) => devices.leaving(tenant, deviceId, group)),
      ...[...wanted].map((group) => devices.joining(tenant, deviceId, group)),
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'device.grouped',
        subject: deviceId,
        details: { groups: [...wanted].join(' ').slice(0, 256) },
      }),
    ]);
    return [...wanted].sort();
  }

  /** Replaces all attributes; they are the operator's words, never grounds for trust. */
  setAttributes(
    principal: RegistryActor,
    deviceId: DeviceId,
    attributes: Readonly<Record<string, string>>,
  ): Promise<DeviceRecord> {
    const { devices, store, audit } = this.#ports;
    const { tenant } = principal;
    checkAttributes(attributes);
    return onFreshRead(async () => {
      const device = await this.show(tenant, deviceId);
      await store.commit([
        devices.changing(device, { attributes }),
        audit.entry({
          tenant,
          actor: actorOf(principal),
          action: 'device.described',
          subject: deviceId,
          details: { attributes: Object.keys(attributes).join(' ').slice(0, 256) },
        }),
      ]);
      return this.show(tenant, deviceId);
    });
  }

  #act(
    principal: RegistryActor,
    deviceId: DeviceId,
    decide: (device: DeviceRecord) => Act | Promise<Act>,
  ): Promise<DeviceRecord> {
    return onFreshRead(async () => {
      const device = await this.show(principal.tenant, deviceId);
      await this.#ports.store.commit(this.#writes(principal, device, await decide(device)));
      return this.show(principal.tenant, deviceId);
    });
  }

  #writes(principal: RegistryActor, device: DeviceRecord, act: Act): readonly Write[] {
    const { clock, devices, holds, ratchets, audit, outbox } = this.#ports;
    const { tenant, deviceId } = device;
    const state = DEVICE_LIFECYCLE.step(device.state, act.event);
    const isHeld = state === 'suspended' || state === 'quarantined';
    return [
      // Third parties read of it as certificateHold, the one reason that is taken back (RFC 5280 5.3.1).
      isHeld ? holds.holding(tenant, deviceId, clock.now()) : holds.releasing(tenant, deviceId, clock.now()),
      devices.changing(device, { state, stateReason: act.reason }),
      // What two users of one key showed says nothing of the one that is let back in.
      ...(BEGINS_ANEW.has(act.event) ? [ratchets.forgetting(tenant, deviceId)] : []),
      audit.entry({ tenant, actor: actorOf(principal), action: act.action, subject: deviceId, details: act.details }),
      ...(act.notice === undefined
        ? []
        : [outbox.event({ tenant, name: act.notice, subject: deviceId, data: { reason: act.reason ?? null } })]),
    ];
  }
}

/** What `establish` would refuse of the wish by itself. @throws as it does */
export function checkEstablishWish(wish: EstablishWish): void {
  deviceFrom('', wish, 0);
  checkGroupNames(wish.groups);
}

function deviceFrom(tenant: Tenant, wish: EstablishWish, now: number): DeviceRecord {
  const attributes = wish.attributes ?? {};
  checkAttributes(attributes);
  if (wish.ueid !== undefined && !UEID.test(wish.ueid)) throw new HoldfastError('request.invalid', { field: 'ueid' });
  if (wish.attestationAnchor !== undefined) checkAttestationAnchor(wish.attestationAnchor, wish.ueid);
  return {
    tenant,
    deviceId: checkDeviceName(wish.deviceId),
    product: wish.product,
    serialNumber: checkDeviceName(wish.serialNumber ?? wish.deviceId),
    hardwareRevision: wish.hardwareRevision,
    state: DEVICE_LIFECYCLE.initial,
    stateReason: undefined,
    attributes,
    ueid: wish.ueid,
    attestationAnchor: wish.attestationAnchor,
    claimId: undefined,
    createdAt: now,
    enrolledAt: undefined,
    revision: 0,
  };
}
