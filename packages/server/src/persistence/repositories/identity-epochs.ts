import type { Tenant, TicketEpochRepository, Write } from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import { compileWrite } from '../write.ts';

const readEpoch = defineRead((arg: ArgumentOf<{ tenant: string }>) =>
  query.selectFrom('ticket_epochs').select('epoch').where('tenant', '=', arg('tenant')),
);

export class SqlTicketEpochRepository implements TicketEpochRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant): Promise<number> {
    const row = await this.#reader.first(readEpoch({ tenant }));
    return row?.epoch ?? 0;
  }

  raising(tenant: Tenant, from: number): Write {
    const epoch = from + 1;
    if (from === 0) return compileWrite(query.insertInto('ticket_epochs').values({ tenant, epoch }), { expectRows: 1 });
    return compileWrite(
      query.updateTable('ticket_epochs').set({ epoch }).where('tenant', '=', tenant).where('epoch', '=', from),
      { expectRows: 1 },
    );
  }
}
