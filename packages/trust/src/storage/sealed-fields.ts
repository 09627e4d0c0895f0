import { openRecord, rewrapRecord, type SealContext, sealRecord } from '@holdfast/crypto';
import type { Random } from '@holdfast/kernel';
import type { Keyring } from './keyring.ts';

export interface Sealing {
  readonly sealed: Uint8Array;
  /** Version of the tenant's key that wraps its data key; keep it beside the bytes, so that a rotation finds them. */
  readonly keyVersion: number;
}

/**
 * Seals small values for one place each: tenant, kind, id and version.
 *
 * Rooms use it for columns of their own rows. Moved to another row, altered or rolled back, the bytes do not open.
 */
export class SealedFields {
  readonly #keyring: Keyring;
  readonly #random: Random;

  constructor(keyring: Keyring, random: Random) {
    this.#keyring = keyring;
    this.#random = random;
  }

  /** @throws `storage.key_destroyed` for a shredded tenant. */
  async seal(place: SealContext, plaintext: Uint8Array): Promise<Sealing> {
    const key = await this.#keyring.active(place.tenant);
    return { sealed: await sealRecord(key, place, plaintext, this.#random), keyVersion: key.version };
  }

  /** @throws `crypto.open_failed`, `crypto.unknown_key`, `storage.key_destroyed` */
  open(place: SealContext, sealed: Uint8Array): Promise<Uint8Array> {
    return openRecord(this.#keyring.lookup, place, sealed);
  }

  /** The same value under the newest version of the tenant's key. */
  async rewrap(place: SealContext, sealed: Uint8Array): Promise<Sealing> {
    const key = await this.#keyring.active(place.tenant);
    return { sealed: await rewrapRecord(this.#keyring.lookup, key, place, sealed), keyVersion: key.version };
  }
}
