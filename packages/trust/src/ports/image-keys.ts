import type { EpochMs } from '@holdfast/kernel';
import type { Tenant } from './ids.ts';
import type { Write } from './store.ts';

/**
 * `next`: boot code of new devices holds it, it signs nothing yet. `active`: signs. `former`: still accepted.
 * `revoked`: accepted no more, though the boot code of older devices may hold it.
 */
export type ImageKeyState = 'next' | 'active' | 'former' | 'revoked';

/** One key of a product's set. */
export interface ImageKeyRecord {
  readonly tenant: Tenant;
  readonly product: string;
  readonly keyId: string;
  /** Its place on the chip, from 0, for ever. */
  readonly slot: number;
  readonly state: ImageKeyState;
  /** `offline`: only its public half is here, and what it signs comes in signed. */
  readonly custody: 'sealed' | 'offline';
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** Devices made before do not hold it. */
  readonly addedAt: EpochMs;
  readonly addedBy: string;
  readonly changedAt: EpochMs;
  readonly revision: number;
}

export interface ImageKeyRepository {
  /** In order of slot; none for a product whose set was never changed: its image key is the set. */
  list(tenant: Tenant, product: string): Promise<readonly ImageKeyRecord[]>;
  /** Conflicts when the product has the key. */
  inserting(key: ImageKeyRecord): Write;
  /** Conflicts unless the row still has `from.revision`. */
  changing(from: ImageKeyRecord, state: ImageKeyState, at: EpochMs): Write;
}
