import type { EpochMs } from '@holdfast/kernel';
import type { DeviceId, Sha256Hex, Tenant } from './ids.ts';
import type { Page, PageRequest, Write } from './store.ts';

/** How images of a product lie in flash. */
export interface BootLayout {
  readonly format: 'mcuboot';
  /** Bytes between the start of the image and the first instruction. */
  readonly headerSize: number;
  /** Bytes of one slot. */
  readonly slotSize: number;
  /** Smallest write of the flash, in bytes. */
  readonly align: number;
  /** The virtual chip its releases are rehearsed in, and how that boots; the usual ones of the format when undefined. */
  readonly chip?: string | undefined;
  readonly strategy?: string | undefined;
}

/** What enrolling a product's devices asks beyond the rules that hold for all. */
export interface EnrollmentTerms {
  /** `operator`: a device waits for its certificate until an operator has approved it. */
  readonly approval: 'automatic' | 'operator';
  /** Where the server may make a device's key: nowhere (nor a factory station), where AWS IoT has it, or everywhere. */
  readonly serverKeys: 'never' | 'aws' | 'everywhere';
  /** Whether a request over TLS 1.2 must be bound to its connection (RFC 7030 3.5). */
  readonly binding: 'if-present' | 'required';
}

/** One line of devices that run the same firmware; its limits hold for all of them. */
export interface ProductRecord {
  readonly tenant: Tenant;
  /** Product and provisioning template name at once: 1-36 of `[0-9A-Za-z_-]` (AWS template names), no sign first. */
  readonly name: string;
  readonly hardwareRevisions: readonly string[];
  /** `none` is an explicit, audited choice: such devices are believed on their word. */
  readonly evidence: 'required' | 'none';
  /** Oldest version that keeps full rights; raised only by `ProductPolicy.raiseMinimum`. */
  readonly minimumVersion: string | undefined;
  /** Lowest security counter that keeps full rights. */
  readonly minimumCounter: number;
  /** The key that signs its images, by its id in the key store. */
  readonly imageKeyId: string | undefined;
  readonly boot: BootLayout;
  /** Names of the communication policies its devices act under. */
  readonly policies: readonly string[];
  /** Names of the communication policies while a device is restricted or unproven; empty is the built-in one. */
  readonly restrictedPolicies: readonly string[];
  /** What RegisterThing answers as `deviceConfiguration`; flat, as AWS has it. */
  readonly deviceConfiguration: Readonly<Record<string, string>>;
  /** Days a device certificate lives. */
  readonly certificateDays: number;
  readonly enrollment: EnrollmentTerms;
  readonly createdAt: EpochMs;
  readonly revision: number;
}

export type ProductChange = Partial<Omit<ProductRecord, 'tenant' | 'name' | 'createdAt' | 'revision'>>;

export interface ProductRepository {
  find(tenant: Tenant, name: string): Promise<ProductRecord | undefined>;
  list(tenant: Tenant, page: PageRequest): Promise<Page<ProductRecord>>;
  /** Conflicts when the name exists. */
  inserting(product: ProductRecord): Write;
  /** Conflicts unless the row still has `from.revision`. */
  changing(from: ProductRecord, change: ProductChange): Write;
}

/** What a signed image measures to, as the signing step recorded it (RFC 9334 Reference Value). */
export interface ReferenceValue {
  readonly tenant: Tenant;
  readonly product: string;
  /** What the previous boot stage measures: SHA-256 over the image as it lies in flash. */
  readonly digest: Sha256Hex;
  readonly hardwareRevision: string;
  readonly version: string;
  /** Security counter. */
  readonly counter: number;
  readonly releaseId: string | undefined;
  readonly recordedAt: EpochMs;
}

export interface ReferenceValueRepository {
  find(tenant: Tenant, product: string, digest: Sha256Hex): Promise<ReferenceValue | undefined>;
  /** Highest counter ever signed for the product; undefined when nothing was. */
  highestCounter(tenant: Tenant, product: string): Promise<number | undefined>;
  /** Newest first. */
  list(tenant: Tenant, product: string, limit: number): Promise<readonly ReferenceValue[]>;
  /** No effect when the same digest of the product is there. */
  recording(value: ReferenceValue): Write;
}

export type Posture = 'unproven' | 'proven' | 'restricted' | 'quarantined';

/** Why, as a stable code and in words an operator can read. */
export interface PostureReason {
  readonly code: string;
  readonly words: string;
}

/** Evidence that was believed; measurement and counter come from the certificate chain, not from claims. */
export interface AcceptedEvidence {
  readonly digest: Sha256Hex;
  readonly version: string;
  readonly counter: number;
  readonly bootState: 'test' | 'confirmed' | 'recovery';
  readonly releaseId: string | undefined;
  readonly at: EpochMs;
}

export interface PostureRecord {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly posture: Posture;
  readonly reasons: readonly PostureReason[];
  readonly since: EpochMs;
  /** The last evidence believed. */
  readonly evidence: AcceptedEvidence | undefined;
  readonly revision: number;
}

export type PostureChange = Pick<PostureRecord, 'posture' | 'reasons' | 'since' | 'evidence'>;

export interface PostureRepository {
  find(tenant: Tenant, deviceId: DeviceId): Promise<PostureRecord | undefined>;
  /** Of a product's devices, in order of device id; devices that never proved anything are left out. */
  listOfProduct(tenant: Tenant, product: string, page: PageRequest): Promise<Page<PostureRecord>>;
  /** Conflicts when the device has one. */
  inserting(record: PostureRecord): Write;
  /** Conflicts unless the row still has `from.revision`. */
  changing(from: PostureRecord, change: PostureChange): Write;
}

/** A challenge a device may answer once. Stored hashed. */
export interface AttestationNonce {
  readonly nonceSha256: Sha256Hex;
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly expiresAt: EpochMs;
}

export interface AttestationNonceRepository {
  find(nonceSha256: Sha256Hex): Promise<AttestationNonce | undefined>;
  /** Oldest first. */
  ofDevice(tenant: Tenant, deviceId: DeviceId): Promise<readonly AttestationNonce[]>;
  inserting(nonce: AttestationNonce): Write;
  /** Conflicts when it was used or is unknown. */
  consuming(nonceSha256: Sha256Hex): Write;
  /** Deletes it; no effect when it is gone. */
  dropping(nonceSha256: Sha256Hex): Write;
}

export interface PostureRepositories {
  readonly postures: PostureRepository;
  readonly nonces: AttestationNonceRepository;
  readonly products: ProductRepository;
  readonly referenceValues: ReferenceValueRepository;
}
