import type { Foundation } from './foundation.ts';

const KEY_BYTES = 32;

/** The key over which one-time passwords are hashed: a sealed record, so that a copy of the database is not enough. */
export async function openPasswordKey(foundation: Foundation): Promise<Uint8Array> {
  const { clock, random, tenant, fields, sealedRecords, database } = foundation;
  const place = { tenant, kind: 'password-key', id: 'one-time', version: 1 };
  const found = await sealedRecords.find(place);
  if (found !== undefined) return fields.open(place, found.sealed);
  const key = random.bytes(KEY_BYTES);
  const sealing = await fields.seal(place, key);
  await database.store.commit([sealedRecords.inserting({ ...place, ...sealing, createdAt: clock.now() })]);
  return key;
}
