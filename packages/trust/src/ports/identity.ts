import type { EpochMs } from '@holdfast/kernel';
import type { DeviceId, Fingerprint, Sha256Hex, Tenant } from './ids.ts';
import type { EnrollmentRequestRepository, OneTimePasswordRepository } from './enrollment.ts';
import type { CertificateHoldRepository, CrlRepository, TicketEpochRepository } from './revocation.ts';
import type { OperatorRepository } from './operators.ts';
import type { CampaignRepository, RatchetRepository } from './renewal.ts';
import type { ManufacturerRepository, ProvisioningTemplateRepository } from './provisioning.ts';
import type { Page, PageRequest, Write } from './store.ts';
import type { TpmRepository } from './tpm.ts';

/** ISO/IEC 24760 lifecycle with the two states that hold a device back: `suspended` and `quarantined`. */
export type DeviceState = 'established' | 'active' | 'suspended' | 'quarantined' | 'revoked' | 'archived';

/** A device as the registry knows it; its certificate's names are written from here, never from a request. */
export interface DeviceRecord {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly product: string;
  /** What the maker printed on it; unique in a tenant. The device id unless the factory named another. */
  readonly serialNumber: string;
  readonly hardwareRevision: string;
  readonly state: DeviceState;
  /** Why it is in that state, for an operator to read; undefined when nothing is wrong. */
  readonly stateReason: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  /** Lower-case hex RFC 9711 UEID, 7-33 octets; installed in the factory step. */
  readonly ueid: string | undefined;
  /** DER SubjectPublicKeyInfo of the device's measured-boot root key; installed in the factory step. */
  readonly attestationAnchor: Uint8Array | undefined;
  /** The claim that enrolled it last. */
  readonly claimId: string | undefined;
  readonly createdAt: EpochMs;
  /** First certificate ever attached. */
  readonly enrolledAt: EpochMs | undefined;
  /** Rises with every change; a write names the revision it was decided on. */
  readonly revision: number;
}

export type DeviceChange = Partial<
  Pick<
    DeviceRecord,
    | 'state'
    | 'stateReason'
    | 'attributes'
    | 'ueid'
    | 'attestationAnchor'
    | 'claimId'
    | 'enrolledAt'
    | 'hardwareRevision'
  >
>;

export interface DeviceFilter {
  /** First characters of the device id. */
  readonly prefix?: string | undefined;
  readonly product?: string | undefined;
  readonly group?: string | undefined;
  readonly state?: DeviceState | undefined;
  /** Enrolled last by this claim. */
  readonly claim?: string | undefined;
}

export interface DeviceRepository {
  find(tenant: Tenant, deviceId: DeviceId): Promise<DeviceRecord | undefined>;
  findBySerial(tenant: Tenant, serialNumber: string): Promise<DeviceRecord | undefined>;
  /** In order of device id. */
  list(tenant: Tenant, filter: DeviceFilter, page: PageRequest): Promise<Page<DeviceRecord>>;
  groupsOf(tenant: Tenant, deviceId: DeviceId): Promise<readonly string[]>;
  /** Conflicts when the id or the serial number exists. */
  inserting(device: DeviceRecord): Write;
  /** Conflicts unless the row still has `from.revision`. */
  changing(from: DeviceRecord, change: DeviceChange): Write;
  /** No effect when already a member. */
  joining(tenant: Tenant, deviceId: DeviceId, group: string): Write;
  /** No effect when not a member. */
  leaving(tenant: Tenant, deviceId: DeviceId, group: string): Write;
}

/**
 * What a certificate is for: an issuance template, `cross` for one root's key certified by another root, or
 * `manufacturer` for somebody else's authority whose devices are taken in.
 */
export type CertificateProfile =
  | 'root'
  | 'issuing'
  | 'cross'
  | 'manufacturer'
  | 'device'
  | 'claim'
  | 'server'
  | 'operator'
  | 'ocsp-signer';

/**
 * `pending`: issued to a claim, attached to nothing. `successor`: a renewal nobody used yet; its predecessor still
 * works. `superseded`: revoked because its successor was used. `abandoned`: revoked because nobody claimed it.
 */
export type CertificateState = 'pending' | 'active' | 'successor' | 'superseded' | 'revoked' | 'abandoned';

/** RFC 5280 5.3.1 reason codes that Holdfast gives. */
export type RevocationReason =
  | 'unspecified'
  | 'keyCompromise'
  | 'cACompromise'
  | 'affiliationChanged'
  | 'superseded'
  | 'cessationOfOperation'
  | 'privilegeWithdrawn';

/** By which way a certificate was asked for; `station` is a factory's, `local` an operator or the server itself. */
export type EnrollmentDoorName = 'aws-claim' | 'est' | 'station' | 'local' | 'aws-jit' | 'bulk' | 'tpm';

export interface CertificateRecord {
  readonly tenant: Tenant;
  readonly fingerprint: Fingerprint;
  /**
   * Lower-case hex of the magnitude. A certificate of somebody else's authority has `{issuer}:` before it: serial
   * numbers are unique by issuer alone (RFC 5280 4.1.2.2), and nobody may take one of ours.
   */
  readonly serialNumber: string;
  readonly profile: CertificateProfile;
  readonly state: CertificateState;
  readonly der: Uint8Array;
  /** SHA-256 of the DER SubjectPublicKeyInfo. */
  readonly spkiSha256: Sha256Hex;
  /** Fingerprint of the first certificate the issuer's key had; its own for a root. */
  readonly issuer: Fingerprint;
  /** Device id, claim id, operator or host name, by profile; undefined while pending. */
  readonly subjectId: string | undefined;
  /** The claim a device certificate was issued to. */
  readonly claimId: string | undefined;
  /**
   * Who made the private key: `station` means it once existed on the machine of a factory, by that machine's word;
   * `server` that it once existed here, and was shown once.
   */
  readonly keyOrigin: 'device' | 'station' | 'server';
  readonly door: EnrollmentDoorName;
  readonly notBefore: EpochMs;
  readonly notAfter: EpochMs;
  readonly issuedAt: EpochMs;
  readonly firstUsedAt: EpochMs | undefined;
  readonly revokedAt: EpochMs | undefined;
  readonly revocationReason: RevocationReason | undefined;
}

export type CertificateChange = Partial<
  Pick<CertificateRecord, 'state' | 'subjectId' | 'firstUsedAt' | 'revokedAt' | 'revocationReason'>
>;

/** What a revocation list says of a certificate; a fleet's worth of them is read at once. */
export type RevokedCertificate = Pick<CertificateRecord, 'serialNumber' | 'revokedAt' | 'revocationReason'>;

export type CertificateInUse = Pick<CertificateRecord, 'fingerprint' | 'notBefore' | 'notAfter'> & {
  readonly deviceId: DeviceId;
};

export interface IssuedCertificate {
  readonly certificate: CertificateRecord;
  /** Undefined when the registry does not know the issuer. */
  readonly issuerState: CertificateState | undefined;
}

export interface CertificateRepository {
  find(fingerprint: Fingerprint): Promise<CertificateRecord | undefined>;
  /** A certificate and where its issuer stands, as of one moment. */
  findWithIssuer(fingerprint: Fingerprint): Promise<IssuedCertificate | undefined>;
  findBySerial(serialNumber: string): Promise<CertificateRecord | undefined>;
  /** All that were ever attached to the device, newest first. */
  ofDevice(tenant: Tenant, deviceId: DeviceId): Promise<readonly CertificateRecord[]>;
  /** Still `pending` ones a claim holds, oldest first. */
  pendingOfClaim(tenant: Tenant, claimId: string): Promise<readonly CertificateRecord[]>;
  /** Still `pending` ones of an authority that no claim holds, oldest first. */
  pendingOfIssuer(tenant: Tenant, issuer: Fingerprint, limit: number): Promise<readonly CertificateRecord[]>;
  /** Active ones of a profile, newest first: CA, server and operator certificates. */
  activeOfProfile(tenant: Tenant, profile: CertificateProfile): Promise<readonly CertificateRecord[]>;
  /** Those of devices in use, by which they are let in now; in order of fingerprint. */
  inUse(tenant: Tenant, page: PageRequest): Promise<Page<CertificateInUse>>;
  /** Device or claim ids that hold an unrevoked certificate of an issuer, in order of fingerprint. */
  subjectsOfIssuer(
    tenant: Tenant,
    of: { readonly issuer: Fingerprint; readonly profile: CertificateProfile },
    page: PageRequest,
  ): Promise<Page<string>>;
  /** Revoked, superseded or abandoned ones issued by `issuer` that end after `notAfter`, in order of serial number. */
  listRevoked(issuer: Fingerprint, notAfter: EpochMs): Promise<readonly RevokedCertificate[]>;
  /** Conflicts on a repeated fingerprint or serial number, and on a second `active` or `successor` of one device. */
  inserting(certificate: CertificateRecord): Write;
  /** Conflicts unless the row still has `from.state` and `from.firstUsedAt`. */
  changing(from: CertificateRecord, change: CertificateChange): Write;
}

/** Whose key it is. One public key has one owner for ever, over all tenants. */
export interface KeyOwner {
  readonly spkiSha256: Sha256Hex;
  readonly tenant: Tenant;
  /** `pending` belongs to a claim that has not registered a device with it yet. */
  readonly kind: 'device' | 'pending' | 'claim' | 'authority' | 'operator' | 'server' | 'attestation';
  /** Device id (for `attestation` too), claim id (for `pending` too), id of an authority's key, operator or host name. */
  readonly id: string;
}

export interface KeyOwnerRepository {
  find(spkiSha256: Sha256Hex): Promise<KeyOwner | undefined>;
  /** Conflicts when the key has any owner. */
  inserting(owner: KeyOwner): Write;
  /** Conflicts unless `from` still owns it. */
  moving(from: KeyOwner, to: KeyOwner): Write;
}

export type ClaimState = 'active' | 'revoked';

/** A bootstrap credential: which devices may enroll with it, how many, until when. */
export interface ClaimRecord {
  readonly tenant: Tenant;
  readonly claimId: string;
  readonly product: string;
  /** Of the devices it makes; those the registry knows keep theirs. */
  readonly hardwareRevision: string;
  /** Which groups its devices join. */
  readonly groups: readonly string[];
  readonly fingerprint: Fingerprint;
  readonly state: ClaimState;
  /** Listed serial numbers only, or any up to the quota. */
  readonly scope: 'serials' | 'quota';
  /** Most registrations; the number of listed serials for `serials`. */
  readonly quota: number;
  readonly used: number;
  readonly expiresAt: EpochMs;
  /** Whether a device that the registry does not know yet is made; otherwise it must be `established`. */
  readonly autoRegister: boolean;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
  /** The provisioning template its devices are registered by; the product's own rules when undefined. */
  readonly template?: string | undefined;
}

export interface ClaimSerial {
  readonly serialNumber: string;
  /** Undefined while free. */
  readonly usedAt: EpochMs | undefined;
}

export interface ClaimRepository {
  find(tenant: Tenant, claimId: string): Promise<ClaimRecord | undefined>;
  findSerial(tenant: Tenant, claimId: string, serialNumber: string): Promise<ClaimSerial | undefined>;
  /** At most `limit` of the serials nobody used. */
  freeSerials(tenant: Tenant, claimId: string, limit: number): Promise<readonly string[]>;
  /** In order of claim id. */
  list(tenant: Tenant, page: PageRequest): Promise<Page<ClaimRecord>>;
  inserting(claim: ClaimRecord): Write;
  listing(tenant: Tenant, claimId: string, serialNumber: string): Write;
  /** Counts one registration; conflicts when revoked or the quota is used up. */
  counting(tenant: Tenant, claimId: string): Write;
  /** Conflicts when the serial is not listed or was used. */
  usingSerial(tenant: Tenant, claimId: string, serialNumber: string, at: EpochMs): Write;
  /** Conflicts unless active. */
  revoking(claim: ClaimRecord): Write;
}

/** The bearer of one may attach one pending certificate to a device. Stored hashed. */
export interface OwnershipToken {
  readonly tokenSha256: Sha256Hex;
  readonly tenant: Tenant;
  readonly claimId: string;
  /** The claim connection it was given on. */
  readonly connectionId: string;
  readonly fingerprint: Fingerprint;
  readonly state: 'open' | 'used' | 'void';
  readonly expiresAt: EpochMs;
  /** The device it registered. */
  readonly deviceId: DeviceId | undefined;
}

export interface OwnershipTokenRepository {
  find(tokenSha256: Sha256Hex): Promise<OwnershipToken | undefined>;
  /** Open ones past their time, oldest first. */
  expired(now: EpochMs, limit: number): Promise<readonly OwnershipToken[]>;
  inserting(token: OwnershipToken): Write;
  /** Conflicts unless open. */
  using(tokenSha256: Sha256Hex, deviceId: DeviceId): Write;
  /** Voids every open token of a certificate; no effect when there is none. */
  voiding(fingerprint: Fingerprint): Write;
  /** Voids every open token of a claim; no effect when there is none. */
  voidingOfClaim(tenant: Tenant, claimId: string): Write;
}

export interface IdentityRepositories {
  readonly devices: DeviceRepository;
  readonly certificates: CertificateRepository;
  readonly keyOwners: KeyOwnerRepository;
  readonly claims: ClaimRepository;
  readonly tokens: OwnershipTokenRepository;
  readonly passwords: OneTimePasswordRepository;
  readonly enrollmentRequests: EnrollmentRequestRepository;
  readonly templates: ProvisioningTemplateRepository;
  readonly manufacturers: ManufacturerRepository;
  readonly tpms: TpmRepository;
  readonly crls: CrlRepository;
  readonly operators: OperatorRepository;
  readonly epochs: TicketEpochRepository;
  readonly holds: CertificateHoldRepository;
  readonly ratchets: RatchetRepository;
  readonly campaigns: CampaignRepository;
}
