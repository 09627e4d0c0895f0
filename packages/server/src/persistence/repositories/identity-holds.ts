import type { EpochMs } from '@holdfast/kernel';
import type {
  CertificateHold,
  CertificateHoldRepository,
  DeviceId,
  Fingerprint,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { CertificateHoldTable } from '../tables/identity.ts';
import { compileWrite } from '../write.ts';

const readHold = defineRead((arg: ArgumentOf<{ serialNumber: string }>) =>
  query.selectFrom('certificate_holds').selectAll().where('serial_number', '=', arg('serialNumber')),
);

const readHeld = defineRead((arg: ArgumentOf<{ issuer: string; notAfter: number; releasedSince: number }>) =>
  query
    .selectFrom('certificate_holds')
    .selectAll()
    .where('issuer', '=', arg('issuer'))
    .where('not_after', '>=', arg('notAfter'))
    .where((where) => where.or([where('released_at', 'is', null), where('released_at', '>=', arg('releasedSince'))]))
    .orderBy('serial_number'),
);

export class SqlCertificateHoldRepository implements CertificateHoldRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(serialNumber: string): Promise<CertificateHold | undefined> {
    const row = await this.#reader.first(readHold({ serialNumber }));
    return row && fromRow(row);
  }

  async listHeld(
    issuer: Fingerprint,
    { notAfter, releasedSince }: { readonly notAfter: EpochMs; readonly releasedSince: EpochMs },
  ): Promise<readonly CertificateHold[]> {
    const rows = await this.#reader.all(readHeld({ issuer, notAfter, releasedSince }));
    return rows.map(fromRow);
  }

  holding(tenant: Tenant, deviceId: DeviceId, at: EpochMs): Write {
    return compileWrite(
      query
        .insertInto('certificate_holds')
        .columns(['serial_number', 'issuer', 'not_after', 'held_at', 'released_at'])
        .expression((from) =>
          from
            .selectFrom('certificates')
            .select((row) => [
              'serial_number',
              'issuer',
              'not_after',
              row.val(at).as('held_at'),
              row.val<number | null>(null).as('released_at'),
            ])
            .where('tenant', '=', tenant)
            .where('profile', '=', 'device')
            .where('subject_id', '=', deviceId)
            .where('state', 'in', ['active', 'successor']),
        )
        .onConflict((conflict) =>
          conflict
            .column('serial_number')
            .doUpdateSet({ held_at: at, released_at: null })
            .where('certificate_holds.released_at', 'is not', null),
        ),
    );
  }

  releasing(tenant: Tenant, deviceId: DeviceId, at: EpochMs): Write {
    return compileWrite(
      query
        .updateTable('certificate_holds')
        .set({ released_at: at })
        .where('released_at', 'is', null)
        .where('serial_number', 'in', (from) =>
          from
            .selectFrom('certificates')
            .select('certificates.serial_number')
            .where('tenant', '=', tenant)
            .where('profile', '=', 'device')
            .where('subject_id', '=', deviceId),
        ),
    );
  }
}

function fromRow(row: CertificateHoldTable): CertificateHold {
  return { serialNumber: row.serial_number, heldAt: row.held_at, releasedAt: row.released_at ?? undefined };
}
