import { type Clock, encodeHex, HoldfastError, type Log, type Random, toHoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  CampaignCount,
  CampaignRecord,
  CampaignRepository,
  CertificateRepository,
  DeviceRepository,
  Store,
  Tenant,
} from '../ports/index.ts';
import { actorOf, type DevicePrincipal, type OperatorPrincipal } from '../principal.ts';
import { checkGroupNames } from './names.ts';

export interface CampaignsPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly devices: Pick<DeviceRepository, 'find' | 'list' | 'groupsOf'>;
  readonly certificates: Pick<CertificateRepository, 'find'>;
  readonly campaigns: CampaignRepository;
}

export interface CampaignWish {
  /** Every product unless given. */
  readonly product?: string | undefined;
  /** Every group unless given. */
  readonly group?: string | undefined;
  /** Devices whose turn comes, a minute. */
  readonly perMinute: number;
}

const TICK_MS = 6000;
const TICKS_PER_MINUTE = 60_000 / TICK_MS;
const MAX_PER_MINUTE = 60_000;

/**
 * Has a fleet renew its certificates before their time: after a new issuing key, a weak key, a changed profile.
 *
 * Turns come in order of device ids, at a rate. A device asks whether its turn has come, at each connection and while it
 * is connected, so that nobody who was away is missed; what is kept is how far the turns are.
 */
export class Campaigns {
  readonly #ports: CampaignsPorts;
  #running: Promise<void> = Promise.resolve();

  constructor(ports: CampaignsPorts) {
    this.#ports = ports;
  }

  /** Goes on with what runs, also with what ran when the server stopped. */
  start(tenant: Tenant): { close(): Promise<void> } {
    const timer = this.#ports.clock.every(TICK_MS, () => {
      this.#running = this.#running.then(() => this.#tick(tenant));
    });
    return {
      close: async () => {
        timer.cancel();
        await this.#running;
      },
    };
  }

  /** @throws `request.invalid` for a rate out of bounds */
  async begin(principal: OperatorPrincipal, { product, group, perMinute }: CampaignWish): Promise<CampaignRecord> {
    const { campaigns, store, audit, clock, random } = this.#ports;
    const { tenant } = principal;
    if (!Number.isInteger(perMinute) || perMinute < 1 || perMinute > MAX_PER_MINUTE) {
      throw new HoldfastError('request.invalid', { field: 'perMinute', most: MAX_PER_MINUTE });
    }
    if (group !== undefined) checkGroupNames([group]);
    const campaign: CampaignRecord = {
      tenant,
      campaignId: `renew-${encodeHex(random.bytes(6))}`,
      state: 'running',
      product,
      group,
      perMinute,
      position: '',
      reached: 0,
      startedAt: clock.now(),
      startedBy: actorOf(principal),
      endedAt: undefined,
    };
    await store.commit([
      campaigns.inserting(campaign),
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'campaign.started',
        subject: campaign.campaignId,
        details: { product: product ?? null, group: group ?? null, perMinute },
      }),
    ]);
    return campaign;
  }

  /** Devices whose turn has not come are left alone; nobody is told any more. @throws `identity.unknown_campaign` */
  async stop(principal: OperatorPrincipal, campaignId: string): Promise<CampaignRecord> {
    const { campaigns, store, audit, clock } = this.#ports;
    const { tenant } = principal;
    const campaign = await this.show(tenant, campaignId);
    if (campaign.state === 'stopped') return campaign;
    const change = { state: 'stopped', endedAt: clock.now() } as const;
    await store.commit([
      campaigns.changing(campaign, change),
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'campaign.stopped',
        subject: campaignId,
        details: { reached: campaign.reached },
      }),
    ]);
    return { ...campaign, ...change };
  }

  list(tenant: Tenant): Promise<readonly CampaignRecord[]> {
    return this.#ports.campaigns.list(tenant);
  }

  /** @throws `identity.unknown_campaign` */
  async show(tenant: Tenant, campaignId: string): Promise<CampaignRecord> {
    const campaign = await this.#ports.campaigns.find(tenant, campaignId);
    if (campaign === undefined) throw new HoldfastError('identity.unknown_campaign');
    return campaign;
  }

  progress(campaign: CampaignRecord): Promise<CampaignCount> {
    return this.#ports.campaigns.count(campaign);
  }

  /** Whether the turn of this device has come and its certificate is older than that. */
  async reaches({ tenant, deviceId, fingerprint }: DevicePrincipal): Promise<boolean> {
    const { campaigns, certificates, devices } = this.#ports;
    const all = await campaigns.list(tenant);
    const open = all.filter(({ state, position }) => state !== 'stopped' && deviceId <= position);
    const certificate = open.length === 0 ? undefined : await certificates.find(fingerprint);
    const due = certificate === undefined ? [] : open.filter(({ startedAt }) => certificate.issuedAt < startedAt);
    const device = due.length === 0 ? undefined : await devices.find(tenant, deviceId);
    if (device === undefined) return false;
    const groups = await devices.groupsOf(tenant, deviceId);
    return due.some(
      ({ product, group }) =>
        (product === undefined || product === device.product) && (group === undefined || groups.includes(group)),
    );
  }

  async #tick(tenant: Tenant): Promise<void> {
    try {
      for (const campaign of await this.#ports.campaigns.running(tenant)) await this.#advance(campaign);
    } catch (error) {
      // Another node went on with it, or the store is away: the next tick asks again.
      this.#ports.log.debug('a campaign did not go on', { code: toHoldfastError(error).code });
    }
  }

  async #advance(campaign: CampaignRecord): Promise<void> {
    const { campaigns, clock, devices, store } = this.#ports;
    const { tenant, product, group, position, reached, perMinute, startedAt } = campaign;
    const soFar = Math.floor(((clock.now() - startedAt) / 60_000) * perMinute);
    const limit = Math.min(soFar - reached, Math.ceil(perMinute / TICKS_PER_MINUTE));
    if (limit < 1) return;
    const after = position === '' ? undefined : position;
    const page = await devices.list(tenant, { product, group, state: 'active' }, { after, limit });
    const last = page.next ?? LAST;
    const ended = page.next === undefined ? ({ state: 'done', endedAt: clock.now() } as const) : {};
    await store.commit([
      campaigns.changing(campaign, { position: last, reached: reached + page.rows.length, ...ended }),
    ]);
  }
}

/** Behind every device id: one that enrolled meanwhile has a certificate that is new enough. */
const LAST = '~';
