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
  /** Names attached to any of the targets, each once, in order. */
  attachedTo(tenant: Tenant, targets: readonly PolicyTarget[]): Promise<readonly string[]>;
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

export interface CommunicationRepositories {
  readonly policies: PolicyRepository;
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
