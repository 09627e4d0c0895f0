import type { PublicKey } from '@holdfast/crypto';
import type { EpochMs, ErrorCode } from '@holdfast/kernel';
import type {
  CertificateRecord,
  ClaimRecord,
  DeviceId,
  DeviceRecord,
  EnrollmentDoorName,
  Fingerprint,
  OneTimePassword,
  Tenant,
} from '../ports/index.ts';
import type { ClaimPrincipal, DevicePrincipal, OperatorPrincipal } from '../principal.ts';

/** Where a request came from; ownership tokens work on the connection they were given on alone. */
export interface EnrollmentContext {
  /** Unique for each transport connection of the process' life. */
  readonly connectionId: string;
  readonly remoteAddress: string;
  readonly door: EnrollmentDoorName;
  /** What an MQTT client calls itself; a template's hook is told. */
  readonly clientId?: string | undefined;
  /** Label of an EST path: the claim's product, `default` or none. */
  readonly template?: string | undefined;
  /** Of a door whose requests may be bound to their connection (RFC 7030 3.5): what the connection is known by. */
  readonly channelBinding?: () =>
    | { readonly kind: 'tls-unique' | 'tls-exporter'; readonly bytes: Uint8Array }
    | undefined;
  /** What opened the claim when it was not its certificate. */
  readonly password?: OneTimePassword | undefined;
  /** What a factory station says of the device in its hands. */
  readonly station?: StationContext | undefined;
  /** Which device a TPM was listed for. */
  readonly endorsed?: { readonly serialNumber: string } | undefined;
}

interface StationContext {
  /** Which device the request is for. */
  readonly serialNumber: string;
  readonly keyOrigin: 'device' | 'station';
  /** Who answers for the station, by the actor text of the audit log. */
  readonly operator: string;
}

/** A PKCS#10 request, or the wish that the server makes the key. */
export type CertificateWish = { readonly csrDer: Uint8Array } | { readonly serverKey: true };

export interface PendingCertificate {
  /** Lower-case hex SHA-256 of the DER. */
  readonly certificateId: Fingerprint;
  readonly certificateDer: Uint8Array;
  /** PKCS#8 DER when the server made the key; shown this once. */
  readonly privateKeyPkcs8: Uint8Array | undefined;
  /** ASCII, at most 450 characters, valid for one hour on this connection. */
  readonly ownershipToken: string;
}

export interface RegistrationWish {
  /** The claim's template, its product, or `default`. */
  readonly template: string;
  readonly ownershipToken: string;
  /** `SerialNumber` is required unless the claim has a template. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface Registration {
  readonly deviceId: DeviceId;
  readonly deviceConfiguration: Readonly<Record<string, string>>;
}

export interface DirectEnrollment {
  readonly deviceId: DeviceId;
  readonly certificateDer: Uint8Array;
  /** PKCS#8 DER when the server made the key; shown this once. */
  readonly privateKeyPkcs8: Uint8Array | undefined;
  /** Whom that key is to be encrypted for, beside what TLS does. */
  readonly encryptFor: EnvelopeKey | undefined;
}

/** A public key, and the identifier its holder named it by. */
export interface EnvelopeKey {
  readonly key: PublicKey;
  readonly keyIdentifier: Uint8Array;
}

/** What protocol adapters ask. Every refusal is a coded error of the enrollment policy table. */
export interface EnrollmentDoor {
  createCertificate(
    principal: ClaimPrincipal,
    wish: CertificateWish,
    context: EnrollmentContext,
  ): Promise<PendingCertificate>;
  registerThing(principal: ClaimPrincipal, wish: RegistrationWish, context: EnrollmentContext): Promise<Registration>;
  enrollDirect(principal: ClaimPrincipal, csrDer: Uint8Array, context: EnrollmentContext): Promise<DirectEnrollment>;
  /** The current certificate stays usable until the one returned here is first used. */
  renew(principal: DevicePrincipal, csrDer: Uint8Array, context: EnrollmentContext): Promise<Uint8Array>;
}

/** Enrollment in one step by a key that is made here. */
export interface ServerKeyDoor {
  /** The request's key is for recognising a retry only; the device gets another one. */
  enrollWithServerKey(
    principal: ClaimPrincipal,
    csrDer: Uint8Array,
    context: EnrollmentContext,
  ): Promise<DirectEnrollment>;
}

/** Who holds a certificate that TLS has proven possession of. */
export type PeerVerdict =
  | {
      readonly kind: 'device';
      readonly principal: DevicePrincipal;
      readonly device: DeviceRecord;
      readonly certificate: CertificateRecord;
    }
  | {
      readonly kind: 'claim';
      readonly principal: ClaimPrincipal;
      readonly claim: ClaimRecord;
      readonly certificate: CertificateRecord;
    }
  | { readonly kind: 'operator'; readonly principal: OperatorPrincipal; readonly certificate: CertificateRecord }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly subjectId: string | undefined };

/** Asked on every connection, full or resumed, and on every HTTPS request; denies on doubt. */
export interface PeerIdentifier {
  /** @throws `store.unavailable` when the registry does not answer: the caller refuses the peer. */
  identify(fingerprint: Fingerprint, now: EpochMs): Promise<PeerVerdict>;
}

/** The certificates a peer has shown, its own first proven by TLS. */
export interface PresentedChain {
  readonly leafDer: Uint8Array;
  /** What it sent besides, in any order. */
  readonly chainDer: readonly Uint8Array[];
}

/** Told of certificates that the registry does not know. */
export interface Newcomers {
  /**
   * Registers the certificate, or keeps it for an operator; nothing when no registered authority issued it.
   *
   * @throws the coded refusal of the enrollment policy table
   */
  meet(presented: PresentedChain, context: EnrollmentContext): Promise<void>;
}

/** One take-over of a device's session by another connection. */
export interface Takeover {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly previous: ConnectionPlace;
  readonly next: ConnectionPlace;
}

export interface ConnectionPlace {
  readonly connectionId: string;
  readonly remoteAddress: string;
  readonly connectedAt: EpochMs;
}

/** Told of every take-over; quarantines the device when an identity is used from two places in turn. */
export interface TakeoverWatch {
  takenOver(takeover: Takeover): Promise<'kept' | 'quarantined'>;
}
