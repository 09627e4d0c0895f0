import type { EpochMs } from '@holdfast/kernel';
import type { TemplateKind } from '@holdfast/wire/aws-iot';
import type { Fingerprint, Tenant } from './ids.ts';
import type { Page, PageRequest, Write } from './store.ts';

/** A rule that a registration has to keep, besides the policy tables. */
export interface ProvisioningRule {
  /** Serial numbers that may register; any when undefined. */
  readonly serials?: readonly string[] | undefined;
  /** By parameter, a regular expression its whole value must match. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** Most registrations of the template, ever. */
  readonly maxDevices?: number | undefined;
}

/** Whom to ask before a registration; what it verifies us by is a sealed record. */
export interface ProvisioningWebhook {
  /** `https:` alone. */
  readonly url: string;
  /** PEM of the authorities its server is verified by; those of the system when undefined. */
  readonly caPem?: string | undefined;
}

export interface ProvisioningTemplateRecord {
  readonly tenant: Tenant;
  /** 1-36 of `[0-9A-Za-z_-]`. */
  readonly name: string;
  readonly kind: TemplateKind;
  /** Of the devices it registers. */
  readonly product: string;
  readonly rule: ProvisioningRule | undefined;
  readonly webhook: ProvisioningWebhook | undefined;
  /** The version in force, from 1. */
  readonly version: number;
  /** The document of that version, as it was given. */
  readonly body: string;
  /** Registrations so far. */
  readonly used: number;
  readonly createdAt: EpochMs;
  readonly changedAt: EpochMs;
}

export interface ProvisioningTemplateVersion {
  readonly version: number;
  readonly body: string;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
}

export interface ProvisioningTemplateRepository {
  find(tenant: Tenant, name: string): Promise<ProvisioningTemplateRecord | undefined>;
  /** In order of name. */
  list(tenant: Tenant, page: PageRequest): Promise<Page<ProvisioningTemplateRecord>>;
  /** Newest first. */
  versions(tenant: Tenant, name: string): Promise<readonly ProvisioningTemplateVersion[]>;
  /** Conflicts when the name exists. */
  inserting(template: ProvisioningTemplateRecord): Write;
  /** Conflicts when the version exists. */
  insertingVersion(tenant: Tenant, name: string, version: ProvisioningTemplateVersion): Write;
  /** Conflicts unless the row still has `from.version`. */
  changing(
    from: ProvisioningTemplateRecord,
    to: Pick<ProvisioningTemplateRecord, 'version' | 'rule' | 'webhook' | 'changedAt'>,
  ): Write;
  /** Counts one registration; conflicts when the version is not in force any more or `maxDevices` is reached. */
  counting(template: ProvisioningTemplateRecord): Write;
  /** With its versions. Conflicts when it is not there. */
  deleting(tenant: Tenant, name: string): readonly Write[];
}

/** What a pre-provisioning webhook is asked, with the members AWS gives its Lambda. */
export interface HookQuestion {
  readonly claimCertificateId: Fingerprint | undefined;
  /** Undefined where the certificate is made after the answer. */
  readonly certificateId: Fingerprint | undefined;
  readonly certificatePem: string | undefined;
  readonly templateArn: string;
  readonly clientId: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** `failed` says why nobody answered; it never says yes. */
export type HookAnswer =
  | { readonly kind: 'allowed'; readonly overrides: Readonly<Record<string, string>> }
  | { readonly kind: 'denied' }
  | { readonly kind: 'failed'; readonly reason: string };

/** Asks a webhook outside; signed, bounded in time, size and number. Never rejects. */
export interface ProvisioningHooks {
  ask(
    of: { readonly tenant: Tenant; readonly template: string; readonly webhook: ProvisioningWebhook },
    question: HookQuestion,
  ): Promise<HookAnswer>;
}

/** `inactive` registers nobody new; `revoked` is trusted no more. */
export type ManufacturerState = 'active' | 'inactive' | 'revoked';

/** An authority of somebody else's whose device certificates are taken in; its certificate is in the registry. */
export interface ManufacturerRecord {
  readonly tenant: Tenant;
  /** Of its certificate; the AWS caCertificateId. */
  readonly fingerprint: Fingerprint;
  readonly state: ManufacturerState;
  /** `jitp` registers by the template at the first connection, `jitr` leaves it to an operator. */
  readonly registration: 'jitp' | 'jitr';
  readonly product: string;
  /** Of the devices it makes. */
  readonly hardwareRevision: string;
  /** Set for `jitp`. */
  readonly template: string | undefined;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
}

export interface ManufacturerRepository {
  find(tenant: Tenant, fingerprint: Fingerprint): Promise<ManufacturerRecord | undefined>;
  /** In order of fingerprint. */
  list(tenant: Tenant, page: PageRequest): Promise<Page<ManufacturerRecord>>;
  /** Of every tenant: DER of those not revoked, in order of fingerprint. */
  trusted(): Promise<readonly Uint8Array[]>;
  inserting(manufacturer: ManufacturerRecord): Write;
  /** Conflicts unless the row still has `from.state`. */
  changing(from: ManufacturerRecord, state: ManufacturerState): Write;
  /** Conflicts unless it is active. */
  guarding(manufacturer: ManufacturerRecord): Write;
}
