import type { EpochMs } from '@holdfast/kernel';
import type { DeviceId, Tenant } from './ids.ts';
import type { Page, PageRequest, Write } from './store.ts';

/** A policy document under a name. */
export interface PolicyRecord {
  readonly tenant: Tenant;
  /** 1-128 of `[\w+=,.@-]`. */
  readonly name: string;
  /** AWS IoT policy JSON, as it was given. */
  readonly document: string;
  /** From 1; rises with every change of the document. */
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly changedAt: EpochMs;
}

/** What a policy can be attached to besides a product, which names its own. */
export interface PolicyTarget {
  readonly kind: 'group' | 'device';
  readonly id: string;
}

export interface PolicyRepository {
  find(tenant: Tenant, name: string): Promise<PolicyRecord | undefined>;
  /** In order of name. */
  list(tenant: Tenant, page: PageRequest): Promise<Page<PolicyRecord>>;
  /** Names attached to the target itself, in order. */
  attachedTo(tenant: Tenant, target: PolicyTarget): Promise<readonly string[]>;
  /** Names attached to the device or to any of its groups, each once, in order. */
  reaching(tenant: Tenant, deviceId: DeviceId): Promise<readonly string[]>;
  /** At most `limit` targets a policy is attached to. */
  targetsOf(tenant: Tenant, name: string, limit: number): Promise<readonly PolicyTarget[]>;
  /** Conflicts when the name exists. */
  inserting(policy: PolicyRecord): Write;
  /** Conflicts unless the row still has `from.version`. */
  changing(from: PolicyRecord, to: Pick<PolicyRecord, 'document' | 'changedAt'>): Write;
  /** Conflicts unless the row still has `policy.version` and nothing is attached to it. */
  removing(policy: PolicyRecord): Write;
  /** No effect when attached already; conflicts when there is no such policy. */
  attaching(tenant: Tenant, name: string, target: PolicyTarget): Write;
  /** No effect when not attached. */
  detaching(tenant: Tenant, name: string, target: PolicyTarget): Write;
}

/** One shadow of a device, without what it says: that lies sealed under `shadow`, `{device}/{name}` and the version. */
export interface ShadowRecord {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  /** Empty for the classic shadow. */
  readonly name: string;
  /** From 1; goes on after the shadow was deleted. */
  readonly version: number;
  readonly changedAt: EpochMs;
  /** A deleted shadow is kept for its version alone. */
  readonly deleted: boolean;
}

export interface ShadowRepository {
  /** Also a deleted one. */
  find(tenant: Tenant, deviceId: DeviceId, name: string): Promise<ShadowRecord | undefined>;
  /** Names of the named shadows that are not deleted, in order; `after` is a name. */
  names(tenant: Tenant, deviceId: DeviceId, page: PageRequest): Promise<Page<string>>;
  /** Of the device, deleted ones included. */
  count(tenant: Tenant, deviceId: DeviceId): Promise<number>;
  /** Conflicts when the shadow exists. */
  inserting(shadow: ShadowRecord): Write;
  /** Conflicts unless the row still has `from.version`. */
  changing(from: ShadowRecord, to: ShadowRecord): Write;
  /** Drops what was deleted before `at`. */
  forgetting(tenant: Tenant, deviceId: DeviceId, at: EpochMs): Write;
}

export interface CommunicationRepositories {
  readonly policies: PolicyRepository;
  readonly shadows: ShadowRepository;
}

/** Who is connected, over what. */
export interface Presence {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly protocol: 'mqtt' | 'https';
  readonly connectionId: string;
  readonly remoteAddress: string;
  readonly connectedAt: EpochMs;
}
