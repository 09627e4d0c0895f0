import { type Clock, type EpochMs, HoldfastError } from '@holdfast/kernel';
import { shortfallOf } from '../boot/index.ts';
import { onFreshRead } from '../identity/index.ts';
import type {
  AuditLog,
  DeviceId,
  DeviceRecord,
  DeviceRepository,
  Outbox,
  PostureReason,
  PostureRecord,
  PostureRepository,
  ProductRecord,
  ProductRepository,
  Store,
  Tenant,
} from '../ports/index.ts';
import type { DevicePrincipal } from '../principal.ts';
import { changedEvent } from './evidence-writes.ts';
import type { DevicePosture, PostureReader } from './contracts.ts';
import { POSTURE_MACHINE, rightsOf, standingPosture } from './machine.ts';
import { belowMinimumWords } from './rules.ts';

export interface PosturesPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly devices: Pick<DeviceRepository, 'find'>;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly postures: PostureRepository;
}

const PAGE = 500;
const UNPROVEN: Readonly<Record<ProductRecord['evidence'], PostureReason>> = {
  required: { code: 'posture.no_evidence', words: 'it has not proven yet what it runs' },
  none: { code: 'posture.evidence_not_asked', words: 'its product believes devices on their word' },
};

/** What devices are worth now: what they proved, held against the registry and today's minimum. */
export class Postures implements PostureReader {
  readonly #ports: PosturesPorts;

  constructor(ports: PosturesPorts) {
    this.#ports = ports;
  }

  async postureOf({ tenant, deviceId }: Pick<DevicePrincipal, 'tenant' | 'deviceId'>): Promise<DevicePosture> {
    const device = await this.#ports.devices.find(tenant, deviceId);
    if (!device) throw new HoldfastError('identity.unknown_device');
    return this.describe(device);
  }

  async describe(device: DeviceRecord, known?: ProductRecord): Promise<DevicePosture> {
    const product = known ?? (await this.#ports.products.find(device.tenant, device.product));
    if (!product) throw new HoldfastError('identity.unknown_product', { product: device.product });
    return judgeNow(product, device, await this.#ports.postures.find(device.tenant, device.deviceId));
  }

  /** Called when a product changed: states the restriction of every device that a raised minimum left behind. */
  async productChanged(tenant: Tenant, name: string): Promise<number> {
    const { products, postures } = this.#ports;
    const product = await products.find(tenant, name);
    if (!product) return 0;
    let restricted = 0;
    let after: string | undefined;
    do {
      const page = await postures.listOfProduct(tenant, name, { after, limit: PAGE });
      for (const record of page.rows) if (await this.#restrict(product, record)) restricted += 1;
      after = page.next;
    } while (after !== undefined);
    return restricted;
  }

  /**
   * Called when an operator took a device back: what it proved before says nothing of what it is now, and its key may
   * be another one. Safe to repeat.
   *
   * @param at - when; evidence since then stands
   */
  async readmitted(tenant: Tenant, deviceId: DeviceId, at: EpochMs): Promise<void> {
    const { store, outbox, postures } = this.#ports;
    await onFreshRead(async () => {
      const record = await postures.find(tenant, deviceId);
      if (record?.evidence === undefined || record.evidence.at > at) return;
      const to = POSTURE_MACHINE.step(record.posture, 'pardon');
      await store.commit([
        postures.changing(record, { posture: to, reasons: [], since: at, evidence: undefined }),
        changedEvent(record, { from: record.posture, to, reasons: [] }, outbox),
      ]);
    });
  }

  async #restrict(product: ProductRecord, record: PostureRecord): Promise<boolean> {
    const { store, audit, outbox, postures, clock } = this.#ports;
    const reason = shortfallReason(product, record);
    if (record.posture !== 'proven' || reason === undefined) return false;
    const { tenant, deviceId, posture: from } = record;
    const to = POSTURE_MACHINE.step(from, 'restrict');
    try {
      await store.commit([
        postures.changing(record, { ...record, posture: to, reasons: [reason], since: clock.now() }),
        audit.entry({
          tenant,
          actor: 'system',
          action: 'posture.restricted',
          subject: deviceId,
          details: { ...reason },
        }),
        changedEvent(record, { from, to, reasons: [reason] }, outbox),
      ]);
      return true;
    } catch (error) {
      // The device proved something newer in between, and was judged by the new minimum then.
      if (HoldfastError.is(error, 'store.conflict')) return false;
      throw error;
    }
  }
}

function judgeNow(product: ProductRecord, device: DeviceRecord, record: PostureRecord | undefined): DevicePosture {
  const standing = standingPosture(record?.posture ?? POSTURE_MACHINE.initial, device);
  const short = standing === 'proven' && record ? shortfallReason(product, record) : undefined;
  const posture = short === undefined ? standing : POSTURE_MACHINE.step(standing, 'restrict');
  return {
    posture,
    reasons: short ? [short] : reasonsOf(posture, { product, device, record }),
    since: record?.since,
    evidence: record?.evidence,
    rights: rightsOf(posture, product),
  };
}

function reasonsOf(
  posture: DevicePosture['posture'],
  known: {
    readonly product: ProductRecord;
    readonly device: DeviceRecord;
    readonly record: PostureRecord | undefined;
  },
): readonly PostureReason[] {
  if (posture === 'unproven') return [UNPROVEN[known.product.evidence]];
  if (posture !== 'quarantined') return known.record?.reasons ?? [];
  return [{ code: 'identity.device_quarantined', words: known.device.stateReason ?? 'it is quarantined' }];
}

function shortfallReason(product: ProductRecord, { evidence }: PostureRecord): PostureReason | undefined {
  if (evidence === undefined || shortfallOf(product, evidence) === undefined) return undefined;
  return { code: 'posture.below_minimum', words: belowMinimumWords(product, evidence.version) };
}
