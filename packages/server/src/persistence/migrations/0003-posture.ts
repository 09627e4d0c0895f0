import type { Migration } from '../migrate.ts';

export const POSTURE_0003: Migration = {
  id: '0003-posture',
  statements: ({ integer, text, keyed }) => [
    `CREATE TABLE products (
      tenant ${text} NOT NULL,
      name ${text} NOT NULL,
      hardware_revisions ${text} NOT NULL,
      evidence ${text} NOT NULL,
      minimum_version ${text},
      minimum_counter ${integer} NOT NULL,
      image_key_id ${text},
      boot ${text} NOT NULL,
      policies ${text} NOT NULL,
      restricted_policies ${text} NOT NULL,
      device_configuration ${text} NOT NULL,
      certificate_days ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      revision ${integer} NOT NULL,
      PRIMARY KEY (tenant, name)
    )${keyed}`,
    `CREATE TABLE reference_values (
      tenant ${text} NOT NULL,
      product ${text} NOT NULL,
      digest ${text} NOT NULL,
      hardware_revision ${text} NOT NULL,
      version ${text} NOT NULL,
      counter ${integer} NOT NULL,
      release_id ${text},
      recorded_at ${integer} NOT NULL,
      PRIMARY KEY (tenant, product, digest)
    )${keyed}`,
    'CREATE INDEX reference_values_counter ON reference_values (tenant, product, counter)',
    'CREATE INDEX reference_values_recorded ON reference_values (tenant, product, recorded_at)',
    `CREATE TABLE postures (
      tenant ${text} NOT NULL,
      device_id ${text} NOT NULL,
      posture ${text} NOT NULL,
      reasons ${text} NOT NULL,
      since ${integer} NOT NULL,
      evidence ${text},
      revision ${integer} NOT NULL,
      PRIMARY KEY (tenant, device_id)
    )${keyed}`,
    `CREATE TABLE attestation_nonces (
      nonce_sha256 ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      device_id ${text} NOT NULL,
      expires_at ${integer} NOT NULL
    )${keyed}`,
    'CREATE INDEX attestation_nonces_device ON attestation_nonces (tenant, device_id, expires_at)',
  ],
};
