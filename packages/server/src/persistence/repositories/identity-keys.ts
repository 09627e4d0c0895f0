import type {
  CrlRepository,
  Fingerprint,
  KeyOwner,
  KeyOwnerRepository,
  PublishedCrl,
  Sha256Hex,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { CrlTable } from '../tables/identity.ts';
import { compileWrite, defineInsert } from '../write.ts';

const insertKeyOwner = defineInsert('key_owners');

const readKeyOwner = defineRead((arg: ArgumentOf<{ spkiSha256: string }>) =>
  query.selectFrom('key_owners').selectAll().where('spki_sha256', '=', arg('spkiSha256')),
);

const readCrl = defineRead((arg: ArgumentOf<{ issuer: string }>) =>
  query.selectFrom('crls').selectAll().where('issuer', '=', arg('issuer')),
);

export class SqlKeyOwnerRepository implements KeyOwnerRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(spkiSha256: Sha256Hex): Promise<KeyOwner | undefined> {
    const row = await this.#reader.first(readKeyOwner({ spkiSha256 }));
    if (row === undefined) return undefined;
    return { spkiSha256, tenant: row.tenant, kind: row.kind as KeyOwner['kind'], id: row.owner_id };
  }

  inserting({ spkiSha256, tenant, kind, id }: KeyOwner): Write {
    return insertKeyOwner({ spki_sha256: spkiSha256, tenant, kind, owner_id: id });
  }

  moving(from: KeyOwner, to: KeyOwner): Write {
    return compileWrite(
      query
        .updateTable('key_owners')
        .set({ tenant: to.tenant, kind: to.kind, owner_id: to.id })
        .where('spki_sha256', '=', from.spkiSha256)
        .where('tenant', '=', from.tenant)
        .where('kind', '=', from.kind)
        .where('owner_id', '=', from.id),
      { expectRows: 1 },
    );
  }
}

export class SqlCrlRepository implements CrlRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(issuer: Fingerprint): Promise<PublishedCrl | undefined> {
    const row = await this.#reader.first(readCrl({ issuer }));
    if (row === undefined) return undefined;
    const { number, this_update: thisUpdate, next_update: nextUpdate, der, base_number, base_update } = row;
    const list = { issuer, number, thisUpdate, nextUpdate, der };
    return base_number === null || base_update === null
      ? list
      : { ...list, base: { number: base_number, thisUpdate: base_update } };
  }

  publishing(crl: PublishedCrl): Write {
    const { issuer, ...columns } = crlToRow(crl);
    if (crl.number === 1) return compileWrite(query.insertInto('crls').values(crlToRow(crl)), { expectRows: 1 });
    return compileWrite(
      query
        .updateTable('crls')
        .set(columns)
        .where('issuer', '=', issuer)
        .where('number', '=', crl.number - 1),
      { expectRows: 1 },
    );
  }

  publishingPart(crl: PublishedCrl): Write {
    const row = crlToRow(crl);
    const { issuer: _issuer, ...columns } = row;
    return compileWrite(
      query
        .insertInto('crls')
        .values(row)
        .onConflict((conflict) => conflict.column('issuer').doUpdateSet(columns).where('crls.number', '<', crl.number)),
      { expectRows: 1 },
    );
  }
}

function crlToRow({ issuer, number, thisUpdate, nextUpdate, der, base }: PublishedCrl): CrlTable {
  return {
    issuer,
    number,
    this_update: thisUpdate,
    next_update: nextUpdate,
    der,
    base_number: base?.number ?? null,
    base_update: base?.thisUpdate ?? null,
  };
}
