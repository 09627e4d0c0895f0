import type { Migration } from '../migrate.ts';

export const OPERATORS_0007: Migration = {
  id: '0007-operators',
  statements: ({ integer, text, keyed }) => [
    `CREATE TABLE operators (
      tenant ${text} NOT NULL,
      name ${text} NOT NULL,
      role ${text} NOT NULL,
      state ${text} NOT NULL,
      created_at ${integer} NOT NULL,
      created_by ${text} NOT NULL,
      PRIMARY KEY (tenant, name)
    )${keyed}`,
  ],
};
