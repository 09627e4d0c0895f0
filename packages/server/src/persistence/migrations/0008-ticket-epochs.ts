import type { Migration } from '../migrate.ts';

export const TICKET_EPOCHS_0008: Migration = {
  id: '0008-ticket-epochs',
  statements: ({ integer, text, keyed }) => [
    `CREATE TABLE ticket_epochs (
      tenant ${text} PRIMARY KEY,
      epoch ${integer} NOT NULL
    )${keyed}`,
  ],
};
