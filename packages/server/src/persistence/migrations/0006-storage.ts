import type { Migration } from '../migrate.ts';

export const STORAGE_0006: Migration = {
  id: '0006-storage',
  statements: ({ integer, text, blob, keyed }) => [
    `CREATE TABLE tenant_keys (
      tenant ${text} NOT NULL,
      version ${integer} NOT NULL,
      state ${text} NOT NULL,
      wrapped ${blob},
      created_at ${integer} NOT NULL,
      changed_at ${integer} NOT NULL,
      PRIMARY KEY (tenant, version)
    )${keyed}`,
    `CREATE TABLE sealed_records (
      tenant ${text} NOT NULL,
      kind ${text} NOT NULL,
      id ${text} NOT NULL,
      version ${integer} NOT NULL,
      sealed ${blob} NOT NULL,
      key_version ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      PRIMARY KEY (tenant, kind, id, version)
    )${keyed}`,
    'CREATE INDEX sealed_records_wrapping ON sealed_records (tenant, key_version)',
    `CREATE TABLE key_pairs (
      tenant ${text} NOT NULL,
      key_id ${text} NOT NULL,
      version ${integer} NOT NULL,
      usage ${text} NOT NULL,
      spki ${blob} NOT NULL,
      state ${text} NOT NULL,
      created_at ${integer} NOT NULL,
      changed_at ${integer} NOT NULL,
      PRIMARY KEY (tenant, key_id, version)
    )${keyed}`,
    `CREATE TABLE artifacts (
      artifact_id ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      size ${integer} NOT NULL,
      sha256 ${text} NOT NULL,
      state ${text} NOT NULL,
      head ${blob} NOT NULL,
      key_version ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      checked_at ${integer} NOT NULL
    )${keyed}`,
    'CREATE INDEX artifacts_wrapping ON artifacts (tenant, key_version)',
    'CREATE INDEX artifacts_checked ON artifacts (state, checked_at)',
  ],
};
