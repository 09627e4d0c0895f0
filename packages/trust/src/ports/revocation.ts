import type { EpochMs } from '@holdfast/kernel';
import type { DeviceId, Fingerprint, Tenant } from './ids.ts';
import type { Write } from './store.ts';

/** The newest list a CA published, or a part of it. */
export interface PublishedCrl {
  /** Fingerprint of the issuer, with the name of the part behind it for a shard or a delta. */
  readonly issuer: string;
  /** Strictly rising, never reset (RFC 5280 5.2.3). */
  readonly number: number;
  readonly thisUpdate: EpochMs;
  readonly nextUpdate: EpochMs;
  readonly der: Uint8Array;
  /** Of a whole list: the oldest one that a delta published with it goes on from. */
  readonly base?: { readonly number: number; readonly thisUpdate: EpochMs };
}

/** A certificate whose device is held back. */
export interface CertificateHold {
  readonly serialNumber: string;
  readonly heldAt: EpochMs;
  /** Undefined while it is held. */
  readonly releasedAt: EpochMs | undefined;
}

export interface CertificateHoldRepository {
  find(serialNumber: string): Promise<CertificateHold | undefined>;
  /** Held ones of an issuer that end after `notAfter`, and those released since, in order of serial number. */
  listHeld(
    issuer: Fingerprint,
    of: { readonly notAfter: EpochMs; readonly releasedSince: EpochMs },
  ): Promise<readonly CertificateHold[]>;
  /** Holds every usable certificate of the device; one that is held stays so from when it was. */
  holding(tenant: Tenant, deviceId: DeviceId, at: EpochMs): Write;
  /** No effect when none is held. */
  releasing(tenant: Tenant, deviceId: DeviceId, at: EpochMs): Write;
}

export interface CrlRepository {
  find(issuer: string): Promise<PublishedCrl | undefined>;
  /** Conflicts unless `crl.number` is one more than the published number, or 1 when there is none. */
  publishing(crl: PublishedCrl): Write;
  /** A shard or delta, numbered as the whole list it belongs to. Conflicts unless that is higher than before. */
  publishingPart(crl: PublishedCrl): Write;
}

/** Rises with every mass revocation; TLS ticket keys are derived from it. */
export interface TicketEpochRepository {
  /** 0 before the first. */
  find(tenant: Tenant): Promise<number>;
  /** Conflicts unless it is still `from`. */
  raising(tenant: Tenant, from: number): Write;
}
