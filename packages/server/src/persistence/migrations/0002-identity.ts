import type { Migration } from '../migrate.ts';

/** The unique indexes are what holds the enrollment rules when two requests race. */
export const IDENTITY_0002: Migration = {
  id: '0002-identity',
  statements: ({ integer, text, blob, keyed }) => [
    `CREATE TABLE devices (
      tenant ${text} NOT NULL,
      device_id ${text} NOT NULL,
      product ${text} NOT NULL,
      serial_number ${text} NOT NULL,
      hardware_revision ${text} NOT NULL,
      state ${text} NOT NULL,
      state_reason ${text},
      attributes ${text} NOT NULL,
      ueid ${text},
      attestation_anchor ${blob},
      claim_id ${text},
      created_at ${integer} NOT NULL,
      enrolled_at ${integer},
      revision ${integer} NOT NULL,
      PRIMARY KEY (tenant, device_id)
    )${keyed}`,
    'CREATE UNIQUE INDEX devices_serial ON devices (tenant, serial_number)',
    'CREATE UNIQUE INDEX devices_ueid ON devices (ueid) WHERE ueid IS NOT NULL',
    'CREATE INDEX devices_product ON devices (tenant, product, device_id)',
    'CREATE INDEX devices_state ON devices (tenant, state, device_id)',
    `CREATE TABLE device_groups (
      tenant ${text} NOT NULL,
      group_name ${text} NOT NULL,
      device_id ${text} NOT NULL,
      PRIMARY KEY (tenant, group_name, device_id)
    )${keyed}`,
    'CREATE INDEX device_groups_device ON device_groups (tenant, device_id)',
    `CREATE TABLE certificates (
      fingerprint ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      serial_number ${text} NOT NULL,
      profile ${text} NOT NULL,
      state ${text} NOT NULL,
      der ${blob} NOT NULL,
      spki_sha256 ${text} NOT NULL,
      issuer ${text} NOT NULL,
      subject_id ${text},
      claim_id ${text},
      key_origin ${text} NOT NULL,
      door ${text} NOT NULL,
      not_before ${integer} NOT NULL,
      not_after ${integer} NOT NULL,
      issued_at ${integer} NOT NULL,
      first_used_at ${integer},
      revoked_at ${integer},
      revocation_reason ${text}
    )${keyed}`,
    'CREATE UNIQUE INDEX certificates_serial ON certificates (serial_number)',
    `CREATE UNIQUE INDEX certificates_one_active ON certificates (tenant, subject_id)
      WHERE profile = 'device' AND state = 'active'`,
    `CREATE UNIQUE INDEX certificates_one_successor ON certificates (tenant, subject_id)
      WHERE profile = 'device' AND state = 'successor'`,
    'CREATE INDEX certificates_subject ON certificates (tenant, profile, subject_id)',
    "CREATE INDEX certificates_pending ON certificates (tenant, claim_id, issued_at) WHERE state = 'pending'",
    `CREATE INDEX certificates_revoked ON certificates (issuer, serial_number)
      WHERE state IN ('revoked', 'superseded', 'abandoned')`,
    `CREATE TABLE key_owners (
      spki_sha256 ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      kind ${text} NOT NULL,
      owner_id ${text} NOT NULL
    )${keyed}`,
    `CREATE TABLE claims (
      tenant ${text} NOT NULL,
      claim_id ${text} NOT NULL,
      product ${text} NOT NULL,
      hardware_revision ${text} NOT NULL,
      group_names ${text} NOT NULL,
      fingerprint ${text} NOT NULL,
      state ${text} NOT NULL,
      scope ${text} NOT NULL,
      quota ${integer} NOT NULL,
      used ${integer} NOT NULL,
      expires_at ${integer} NOT NULL,
      auto_register ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      created_by ${text} NOT NULL,
      PRIMARY KEY (tenant, claim_id),
      CHECK (used <= quota)
    )${keyed}`,
    `CREATE TABLE claim_serials (
      tenant ${text} NOT NULL,
      claim_id ${text} NOT NULL,
      serial_number ${text} NOT NULL,
      used_at ${integer},
      PRIMARY KEY (tenant, claim_id, serial_number)
    )${keyed}`,
    `CREATE TABLE ownership_tokens (
      token_sha256 ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      claim_id ${text} NOT NULL,
      connection_id ${text} NOT NULL,
      fingerprint ${text} NOT NULL,
      state ${text} NOT NULL,
      expires_at ${integer} NOT NULL,
      device_id ${text}
    )${keyed}`,
    'CREATE INDEX ownership_tokens_certificate ON ownership_tokens (fingerprint)',
    "CREATE INDEX ownership_tokens_open ON ownership_tokens (expires_at) WHERE state = 'open'",
    'CREATE INDEX ownership_tokens_claim ON ownership_tokens (tenant, claim_id)',
    `CREATE TABLE crls (
      issuer ${text} PRIMARY KEY,
      number ${integer} NOT NULL,
      this_update ${integer} NOT NULL,
      next_update ${integer} NOT NULL,
      der ${blob} NOT NULL
    )${keyed}`,
  ],
};
