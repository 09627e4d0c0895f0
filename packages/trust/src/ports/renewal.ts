import type { EpochMs } from '@holdfast/kernel';
import type { DeviceId, Sha256Hex, Tenant } from './ids.ts';
import type { Write } from './store.ts';

/** The value a device must show at its next connection, stored hashed. A device without a row takes no part. */
export interface RatchetRecord {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly valueSha256: Sha256Hex;
  /** Rises by one with each turn, from 1. */
  readonly generation: number;
  readonly turnedAt: EpochMs;
  /** Where the turn came from. */
  readonly remoteAddress: string;
}

export interface RatchetRepository {
  find(tenant: Tenant, deviceId: DeviceId): Promise<RatchetRecord | undefined>;
  /** Conflicts unless the stored generation is one below, or there is no row and this is the first. */
  turning(record: RatchetRecord): Write;
  /** No effect when the device takes no part. */
  forgetting(tenant: Tenant, deviceId: DeviceId): Write;
}

export type CampaignState = 'running' | 'stopped' | 'done';

/** A fleet, or a part of it, that is told to renew its certificates before their time. */
export interface CampaignRecord {
  readonly tenant: Tenant;
  readonly campaignId: string;
  readonly state: CampaignState;
  readonly product: string | undefined;
  readonly group: string | undefined;
  readonly perMinute: number;
  /** Devices up to this id, in order of their ids, have had their turn; empty before the first. */
  readonly position: DeviceId;
  /** Devices whose turn has come. */
  readonly reached: number;
  readonly startedAt: EpochMs;
  readonly startedBy: string;
  readonly endedAt: EpochMs | undefined;
}

export type CampaignChange = Partial<Pick<CampaignRecord, 'state' | 'position' | 'reached' | 'endedAt'>>;

/** How far the devices of a campaign are, by their certificates. */
export interface CampaignCount {
  readonly devices: number;
  /** Their certificate in use was issued after the campaign began. */
  readonly renewed: number;
}

export interface CampaignRepository {
  find(tenant: Tenant, campaignId: string): Promise<CampaignRecord | undefined>;
  /** Newest first, at most 100. */
  list(tenant: Tenant): Promise<readonly CampaignRecord[]>;
  running(tenant: Tenant): Promise<readonly CampaignRecord[]>;
  count(campaign: CampaignRecord): Promise<CampaignCount>;
  /** Conflicts on a repeated id. */
  inserting(campaign: CampaignRecord): Write;
  /** Conflicts unless it still has `from.state` and `from.position`. */
  changing(from: CampaignRecord, change: CampaignChange): Write;
}
