import type { Migration } from '../migrate.ts';

export const LOG_0001: Migration = {
  id: '0001-log',
  statements: ({ integer, text, blob, counted, keyed }) => [
    `CREATE TABLE outbox (
      sequence ${integer} PRIMARY KEY,
      tenant ${text} NOT NULL,
      name ${text} NOT NULL,
      subject ${text} NOT NULL,
      data ${text} NOT NULL,
      at ${integer} NOT NULL
    )${counted}`,
    `CREATE TABLE outbox_cursors (
      consumer ${text} PRIMARY KEY,
      sequence ${integer} NOT NULL
    )${keyed}`,
    `CREATE TABLE audit_entries (
      sequence ${integer} PRIMARY KEY,
      tenant ${text} NOT NULL,
      at ${integer} NOT NULL,
      actor ${text} NOT NULL,
      action ${text} NOT NULL,
      subject ${text} NOT NULL,
      details ${text} NOT NULL,
      leaf ${blob} NOT NULL
    )${counted}`,
    'CREATE INDEX audit_entries_subject ON audit_entries (tenant, subject, sequence)',
    'CREATE INDEX audit_entries_action ON audit_entries (tenant, action, sequence)',
    `CREATE TABLE audit_tiles (
      level ${integer} NOT NULL,
      position ${integer} NOT NULL,
      hash ${blob} NOT NULL,
      PRIMARY KEY (level, position)
    )${keyed}`,
  ],
};
