import { hmac, timingSafeEqual } from '@holdfast/crypto';
import { encodeHex, encodeUtf8 } from '@holdfast/kernel';
import type { CertificateTable, ClaimTable, DeviceTable } from './tables/identity.ts';

/** Rows that decide whether somebody is let in, by what they are called in the log. */
export interface SealedRows {
  readonly device: Omit<DeviceTable, 'mac'>;
  readonly certificate: Omit<CertificateTable, 'mac' | 'der'>;
  readonly claim: Omit<ClaimTable, 'mac' | 'used'>;
}

export type SealedKind = keyof SealedRows;

/** What each code covers, in its order. A certificate's bytes are named by their fingerprint; `used` only counts. */
export const SEALED_COLUMNS = {
  device: [
    'tenant',
    'device_id',
    'product',
    'serial_number',
    'hardware_revision',
    'state',
    'state_reason',
    'attributes',
    'ueid',
    'attestation_anchor',
    'claim_id',
    'created_at',
    'enrolled_at',
    'revision',
  ],
  certificate: [
    'tenant',
    'fingerprint',
    'serial_number',
    'profile',
    'state',
    'spki_sha256',
    'issuer',
    'subject_id',
    'claim_id',
    'key_origin',
    'door',
    'not_before',
    'not_after',
    'issued_at',
    'first_used_at',
    'revoked_at',
    'revocation_reason',
  ],
  claim: [
    'tenant',
    'claim_id',
    'product',
    'hardware_revision',
    'group_names',
    'fingerprint',
    'state',
    'scope',
    'quota',
    'expires_at',
    'auto_register',
    'created_at',
    'created_by',
    'template',
  ],
} as const satisfies { readonly [Kind in SealedKind]: readonly (keyof SealedRows[Kind])[] };

const NAMES = { device: 'device_id', certificate: 'fingerprint', claim: 'claim_id' } as const;
const CODE_BYTES = 16;

export interface AlteredRow {
  readonly kind: SealedKind;
  readonly tenant: string;
  /** Device id, fingerprint or claim id. */
  readonly id: string;
}

/**
 * A code over a row by a key that is not in the database: whoever can write there cannot let anybody in.
 *
 * A row as a whole that had been so before, code and all, is not told from one that still is.
 */
export class RowSeal {
  readonly #key: Uint8Array;
  readonly #onAltered: (row: AlteredRow) => void;

  /** @param key - 32 bytes, the same on every node */
  constructor(key: Uint8Array, onAltered: (row: AlteredRow) => void) {
    this.#key = key;
    this.#onAltered = onAltered;
  }

  seal<Kind extends SealedKind>(kind: Kind, row: SealedRows[Kind]): Uint8Array {
    return hmac('sha256', this.#key, encodeUtf8(textOf(kind, row))).subarray(0, CODE_BYTES);
  }

  /** Whether the row is as it was written by whoever has the key; one that is not is told. */
  holds<Kind extends SealedKind>(kind: Kind, row: SealedRows[Kind] & { readonly mac: Uint8Array | null }): boolean {
    const { mac } = row;
    if (mac !== null && mac.length === CODE_BYTES && timingSafeEqual(mac, this.seal(kind, row))) return true;
    const named: Readonly<Record<string, unknown>> = { ...row };
    this.#onAltered({ kind, tenant: row.tenant, id: String(named[NAMES[kind]]) });
    return false;
  }
}

function textOf<Kind extends SealedKind>(kind: Kind, row: SealedRows[Kind]): string {
  const values: Readonly<Record<string, unknown>> = { ...row };
  return JSON.stringify([
    kind,
    ...SEALED_COLUMNS[kind].map((column) => {
      const value = values[column];
      return value instanceof Uint8Array ? encodeHex(value) : value;
    }),
  ]);
}
