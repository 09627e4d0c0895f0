import type { Migration } from '../migrate.ts';

const DEFAULT_TERMS = '{"approval":"automatic","serverKeys":"aws","binding":"if-present"}';

export const EST_0011: Migration = {
  id: '0011-est',
  statements: ({ integer, text, blob, keyed }) => [
    `ALTER TABLE products ADD COLUMN enrollment ${text} NOT NULL DEFAULT '${DEFAULT_TERMS}'`,
    `CREATE TABLE one_time_passwords (
      password_id ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      claim_id ${text} NOT NULL,
      serial_number ${text},
      verifier ${blob} NOT NULL,
      state ${text} NOT NULL,
      expires_at ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      created_by ${text} NOT NULL,
      used_at ${integer},
      used_key ${text},
      FOREIGN KEY (tenant, claim_id) REFERENCES claims (tenant, claim_id)
    )${keyed}`,
    'CREATE INDEX one_time_passwords_serial ON one_time_passwords (tenant, serial_number, created_at)',
    'CREATE INDEX one_time_passwords_claim ON one_time_passwords (tenant, claim_id, password_id)',
    `CREATE TABLE enrollment_requests (
      request_id ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      claim_id ${text} NOT NULL,
      product ${text} NOT NULL,
      serial_number ${text} NOT NULL,
      spki_sha256 ${text} NOT NULL,
      state ${text} NOT NULL,
      remote_address ${text} NOT NULL,
      created_at ${integer} NOT NULL,
      expires_at ${integer} NOT NULL,
      decided_by ${text},
      certificate ${text},
      FOREIGN KEY (tenant, claim_id) REFERENCES claims (tenant, claim_id)
    )${keyed}`,
    'CREATE INDEX enrollment_requests_state ON enrollment_requests (tenant, state, claim_id)',
    'CREATE INDEX enrollment_requests_key ON enrollment_requests (tenant, claim_id, spki_sha256)',
    'CREATE INDEX enrollment_requests_expiry ON enrollment_requests (expires_at)',
  ],
};
