import type { ImageKeyRecord, ImageKeyRepository, ImageKeyState, Tenant, Write } from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import { compileWrite } from '../write.ts';

const readKeys = defineRead((arg: ArgumentOf<{ tenant: string; product: string }>) =>
  query
    .selectFrom('product_image_keys')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('product', '=', arg('product'))
    .orderBy('slot'),
);

export class SqlImageKeyRepository implements ImageKeyRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async list(tenant: Tenant, product: string): Promise<readonly ImageKeyRecord[]> {
    const rows = await this.#reader.all(readKeys({ tenant, product }));
    return rows.map((row) => ({
      tenant,
      product,
      keyId: row.key_id,
      slot: row.slot,
      state: row.state as ImageKeyState,
      custody: row.custody as ImageKeyRecord['custody'],
      spki: row.spki,
      addedAt: row.added_at,
      addedBy: row.added_by,
      changedAt: row.changed_at,
      revision: row.revision,
    }));
  }

  inserting(key: ImageKeyRecord): Write {
    return compileWrite(
      query.insertInto('product_image_keys').values({
        tenant: key.tenant,
        product: key.product,
        key_id: key.keyId,
        slot: key.slot,
        state: key.state,
        custody: key.custody,
        spki: key.spki,
        added_at: key.addedAt,
        added_by: key.addedBy,
        changed_at: key.changedAt,
        revision: key.revision,
      }),
      { expectRows: 1 },
    );
  }

  changing(from: ImageKeyRecord, state: ImageKeyState, at: number): Write {
    return compileWrite(
      query
        .updateTable('product_image_keys')
        .set({ state, changed_at: at, revision: from.revision + 1 })
        .where('tenant', '=', from.tenant)
        .where('product', '=', from.product)
        .where('key_id', '=', from.keyId)
        .where('revision', '=', from.revision),
      { expectRows: 1 },
    );
  }
}
