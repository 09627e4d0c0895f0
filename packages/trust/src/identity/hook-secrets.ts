import type { Clock, Random } from '@holdfast/kernel';
import type { SealedRepository, Tenant, Write } from '../ports/index.ts';
import type { SealedFields } from '../storage/index.ts';

export interface HookSecretsPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly fields: SealedFields;
  readonly sealedRecords: SealedRepository;
}

const KIND = 'hook-secret';
/** Standard Webhooks asks for 24 to 64. */
const BYTES = 32;

/** What webhooks know us by: sealed, one a template, shown when it is made and never again. */
export class HookSecrets {
  readonly #ports: HookSecretsPorts;

  constructor(ports: HookSecretsPorts) {
    this.#ports = ports;
  }

  /** A new secret, and the write that keeps it instead of any before. */
  async creating(tenant: Tenant, template: string): Promise<{ readonly secret: Uint8Array; readonly write: Write }> {
    const { clock, random, fields, sealedRecords } = this.#ports;
    const version = ((await sealedRecords.newest(tenant, KIND, template))?.version ?? 0) + 1;
    const place = { tenant, kind: KIND, id: template, version };
    const secret = random.bytes(BYTES);
    const sealing = await fields.seal(place, secret);
    return { secret, write: sealedRecords.inserting({ ...place, ...sealing, createdAt: clock.now() }) };
  }

  async read(tenant: Tenant, template: string): Promise<Uint8Array | undefined> {
    const { fields, sealedRecords } = this.#ports;
    const record = await sealedRecords.newest(tenant, KIND, template);
    return record && fields.open({ tenant, kind: KIND, id: template, version: record.version }, record.sealed);
  }

  deleting(tenant: Tenant, template: string): Write {
    return this.#ports.sealedRecords.deletingAll(tenant, KIND, template);
  }
}
