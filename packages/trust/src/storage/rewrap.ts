import { rewrapStreamHead } from '@holdfast/crypto';
import { concatBytes, type Log, toHoldfastError } from '@holdfast/kernel';
import type { ArtifactRepository, SealedRepository, Store, Tenant, Write } from '../ports/index.ts';
import { contextOf } from './artifact-content.ts';
import type { Keyring } from './keyring.ts';
import type { SealedFields } from './sealed-fields.ts';

const PAGE = 64;

export interface RewrapPorts {
  readonly keyring: Keyring;
  readonly fields: SealedFields;
  readonly sealedRecords: SealedRepository;
  readonly artifacts: ArtifactRepository;
  readonly store: Store;
  readonly log: Log;
}

export interface RewrapReport {
  readonly rewrapped: number;
  /** Objects that stay under an older version because they do not open. */
  readonly left: number;
}

/**
 * Moves everything of a tenant under the newest version of its key: data keys are wrapped anew, data stays.
 *
 * Each object is one guarded write, so it can be cut off anywhere and run again.
 */
export class Rewrap {
  readonly #ports: RewrapPorts;

  constructor(ports: RewrapPorts) {
    this.#ports = ports;
  }

  async run(tenant: Tenant): Promise<RewrapReport> {
    const { keyring, fields, sealedRecords, artifacts } = this.#ports;
    const { version } = await keyring.active(tenant);
    const records = await this.#all(
      () => sealedRecords.wrappedBelow(tenant, version, PAGE),
      async (record) => {
        const { sealed, keyVersion } = await fields.rewrap(record, record.sealed);
        return sealedRecords.rewrapping(record, sealed, keyVersion);
      },
    );
    const blobs = await this.#all(
      () => artifacts.wrappedBelow(tenant, version, PAGE),
      async (artifact) => {
        const key = await keyring.active(tenant);
        const place = contextOf(tenant, artifact.artifactId);
        const { head, replaced } = await rewrapStreamHead(keyring.lookup, key, place, artifact.head);
        return artifacts.rewrapping(artifact, concatBytes(head, artifact.head.subarray(replaced)), key.version);
      },
    );
    return { rewrapped: records.rewrapped + blobs.rewrapped, left: records.left + blobs.left };
  }

  async #all<Row>(next: () => Promise<readonly Row[]>, rewrap: (row: Row) => Promise<Write>): Promise<RewrapReport> {
    const { store, log } = this.#ports;
    for (let rewrapped = 0; ; ) {
      const rows = await next();
      const outcomes = await Promise.allSettled(rows.map(async (row) => store.commit([await rewrap(row)])));
      const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
      rewrapped += rows.length - failed.length;
      for (const { reason } of failed) log.warn('an object was not rewrapped', { code: toHoldfastError(reason).code });
      if (failed.length === rows.length) return { rewrapped, left: rows.length };
    }
  }
}
