import type { Migration } from '../migrate.ts';

export const TPM_0014: Migration = {
  id: '0014-tpm',
  statements: ({ integer, text, blob, keyed }) => [
    `CREATE TABLE tpm_authorities (
      tenant ${text} NOT NULL,
      fingerprint ${text} NOT NULL,
      der ${blob} NOT NULL,
      claim_id ${text} NOT NULL,
      created_at ${integer} NOT NULL,
      created_by ${text} NOT NULL,
      PRIMARY KEY (tenant, fingerprint)
    )${keyed}`,
    `CREATE TABLE tpm_endorsements (
      tenant ${text} NOT NULL,
      key_sha256 ${text} NOT NULL,
      claim_id ${text} NOT NULL,
      serial_number ${text} NOT NULL,
      created_at ${integer} NOT NULL,
      created_by ${text} NOT NULL,
      PRIMARY KEY (tenant, key_sha256)
    )${keyed}`,
    `CREATE TABLE device_tpms (
      tenant ${text} NOT NULL,
      device_id ${text} NOT NULL,
      attestation_key ${blob} NOT NULL,
      endorsement_sha256 ${text} NOT NULL,
      trust ${text} NOT NULL,
      enrolled_at ${integer} NOT NULL,
      reset_count ${integer},
      restart_count ${integer},
      PRIMARY KEY (tenant, device_id)
    )${keyed}`,
    `CREATE TABLE tpm_references (
      tenant ${text} NOT NULL,
      product ${text} NOT NULL,
      version ${text} NOT NULL,
      hardware_revision ${text} NOT NULL,
      counter ${integer} NOT NULL,
      pcrs ${text} NOT NULL,
      recorded_at ${integer} NOT NULL,
      recorded_by ${text} NOT NULL,
      PRIMARY KEY (tenant, product, version, hardware_revision)
    )${keyed}`,
    `CREATE TABLE tpm_answers (
      tenant ${text} NOT NULL,
      challenge_sha256 ${text} NOT NULL,
      expires_at ${integer} NOT NULL,
      PRIMARY KEY (tenant, challenge_sha256)
    )${keyed}`,
  ],
};
