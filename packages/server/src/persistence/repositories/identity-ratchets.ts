import type { DeviceId, RatchetRecord, RatchetRepository, Tenant, Write } from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import { compileWrite } from '../write.ts';

const readRatchet = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string }>) =>
  query
    .selectFrom('device_ratchets')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('device_id', '=', arg('deviceId')),
);

export class SqlRatchetRepository implements RatchetRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, deviceId: DeviceId): Promise<RatchetRecord | undefined> {
    const row = await this.#reader.first(readRatchet({ tenant, deviceId }));
    return (
      row && {
        tenant,
        deviceId,
        valueSha256: row.value_sha256,
        generation: row.generation,
        turnedAt: row.turned_at,
        remoteAddress: row.remote_address,
      }
    );
  }

  turning({ tenant, deviceId, valueSha256, generation, turnedAt, remoteAddress }: RatchetRecord): Write {
    const columns = { value_sha256: valueSha256, generation, turned_at: turnedAt, remote_address: remoteAddress };
    if (generation === 1) {
      const row = { tenant, device_id: deviceId, ...columns };
      return compileWrite(query.insertInto('device_ratchets').values(row), { expectRows: 1 });
    }
    return compileWrite(
      query
        .updateTable('device_ratchets')
        .set(columns)
        .where('tenant', '=', tenant)
        .where('device_id', '=', deviceId)
        .where('generation', '=', generation - 1),
      { expectRows: 1 },
    );
  }

  forgetting(tenant: Tenant, deviceId: DeviceId): Write {
    return compileWrite(
      query.deleteFrom('device_ratchets').where('tenant', '=', tenant).where('device_id', '=', deviceId),
    );
  }
}
