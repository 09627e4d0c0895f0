import type { EpochMs } from '@holdfast/kernel';
import type { Fingerprint, Sha256Hex, Tenant } from './ids.ts';
import type { Page, PageRequest, Write } from './store.ts';

/** Opens a claim once, for one serial number or for whichever the claim has; kept as a hash. */
export interface OneTimePassword {
  /** 16 lower-case hex. */
  readonly passwordId: string;
  readonly tenant: Tenant;
  readonly claimId: string;
  /** Undefined when it is of the claim as a whole. */
  readonly serialNumber: string | undefined;
  /** HMAC-SHA-256 of tenant, id and password under a key that is not in the record store. */
  readonly verifier: Uint8Array;
  readonly state: 'open' | 'used' | 'void';
  readonly expiresAt: EpochMs;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
  readonly usedAt: EpochMs | undefined;
  /** The key of the request it was used with: whoever lost the answer asks again with that key. */
  readonly usedKey: Sha256Hex | undefined;
}

export interface OneTimePasswordRepository {
  find(passwordId: string): Promise<OneTimePassword | undefined>;
  /** The last one made for a serial number that is not void. */
  newestOfSerial(tenant: Tenant, serialNumber: string): Promise<OneTimePassword | undefined>;
  /** In order of password id. */
  ofClaim(tenant: Tenant, claimId: string, page: PageRequest): Promise<Page<OneTimePassword>>;
  inserting(password: OneTimePassword): Write;
  /** Conflicts unless open. */
  using(passwordId: string, key: Sha256Hex, at: EpochMs): Write;
  /** Voids what is open for a serial number; no effect when nothing is. */
  voidingOfSerial(tenant: Tenant, serialNumber: string): Write;
}

/** `waiting`: an operator decides. `issued`: the certificate in it answered the request. */
export type EnrollmentRequestState = 'waiting' | 'approved' | 'denied' | 'issued';

/** One request of one claim by one key: what a retry is recognised by, over whatever connection it comes. */
export interface EnrollmentRequest {
  /** 32 lower-case hex of the hash over tenant, claim, serial number and key. */
  readonly requestId: string;
  readonly tenant: Tenant;
  readonly claimId: string;
  readonly product: string;
  readonly serialNumber: string;
  /** Of the key that signed the request. */
  readonly spkiSha256: Sha256Hex;
  readonly state: EnrollmentRequestState;
  readonly remoteAddress: string;
  readonly createdAt: EpochMs;
  readonly expiresAt: EpochMs;
  readonly decidedBy: string | undefined;
  readonly certificate: Fingerprint | undefined;
}

export type EnrollmentRequestChange = Partial<
  Pick<EnrollmentRequest, 'state' | 'decidedBy' | 'certificate' | 'expiresAt'>
>;

export interface EnrollmentRequestRepository {
  find(requestId: string): Promise<EnrollmentRequest | undefined>;
  /** The last certificate a key was answered with under a claim. */
  issuedTo(tenant: Tenant, claimId: string, spkiSha256: Sha256Hex): Promise<EnrollmentRequest | undefined>;
  /** Waiting, approved and denied ones, in order of request id. */
  list(tenant: Tenant, page: PageRequest): Promise<Page<EnrollmentRequest>>;
  /** How many wait: of the tenant, and of one of its claims. */
  countWaiting(tenant: Tenant, claimId: string): Promise<{ readonly tenant: number; readonly claim: number }>;
  /** Conflicts when it is there. */
  inserting(request: EnrollmentRequest): Write;
  /** Conflicts unless the row still has `from.state` and `from.certificate`. */
  changing(from: EnrollmentRequest, change: EnrollmentRequestChange): Write;
  /** Forgets those past their time. */
  forgetting(now: EpochMs): Write;
}
