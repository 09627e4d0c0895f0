import type { Migration } from '../migrate.ts';

export const REHEARSALS_0017: Migration = {
  id: '0017-rehearsals',
  statements: ({ integer, text, blob, keyed }) => [
    `CREATE TABLE release_rehearsals (
      tenant ${text} NOT NULL,
      release_id ${text} NOT NULL,
      subject_sha256 ${text} NOT NULL,
      result ${text} NOT NULL,
      report ${text} NOT NULL,
      rehearsed_at ${integer} NOT NULL,
      rehearsed_by ${text} NOT NULL,
      PRIMARY KEY (tenant, release_id)
    )${keyed}`,
    `CREATE TABLE product_image_keys (
      tenant ${text} NOT NULL,
      product ${text} NOT NULL,
      key_id ${text} NOT NULL,
      slot ${integer} NOT NULL,
      state ${text} NOT NULL,
      custody ${text} NOT NULL,
      spki ${blob} NOT NULL,
      added_at ${integer} NOT NULL,
      added_by ${text} NOT NULL,
      changed_at ${integer} NOT NULL,
      revision ${integer} NOT NULL,
      PRIMARY KEY (tenant, product, key_id)
    )${keyed}`,
  ],
};
