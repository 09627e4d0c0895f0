import type { Migration } from '../migrate.ts';

export const REVOCATION_LISTS_0009: Migration = {
  id: '0009-revocation-lists',
  statements: ({ integer, text, keyed }) => [
    `ALTER TABLE crls ADD COLUMN base_number ${integer}`,
    `ALTER TABLE crls ADD COLUMN base_update ${integer}`,
    `CREATE TABLE certificate_holds (
      serial_number ${text} PRIMARY KEY,
      issuer ${text} NOT NULL,
      not_after ${integer} NOT NULL,
      held_at ${integer} NOT NULL,
      released_at ${integer}
    )${keyed}`,
    'CREATE INDEX certificate_holds_issuer ON certificate_holds (issuer, serial_number)',
  ],
};
