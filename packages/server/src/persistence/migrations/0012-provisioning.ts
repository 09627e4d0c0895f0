import type { Migration } from '../migrate.ts';

export const PROVISIONING_0012: Migration = {
  id: '0012-provisioning',
  statements: ({ integer, text, keyed }) => [
    `ALTER TABLE claims ADD COLUMN template ${text}`,
    `CREATE TABLE provisioning_templates (
      tenant ${text} NOT NULL,
      name ${text} NOT NULL,
      kind ${text} NOT NULL,
      product ${text} NOT NULL,
      rule ${text},
      webhook ${text},
      version ${integer} NOT NULL,
      used ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      changed_at ${integer} NOT NULL,
      PRIMARY KEY (tenant, name)
    )${keyed}`,
    `CREATE TABLE provisioning_template_versions (
      tenant ${text} NOT NULL,
      name ${text} NOT NULL,
      version ${integer} NOT NULL,
      body ${text} NOT NULL,
      created_at ${integer} NOT NULL,
      created_by ${text} NOT NULL,
      PRIMARY KEY (tenant, name, version)
    )${keyed}`,
    `CREATE TABLE manufacturers (
      tenant ${text} NOT NULL,
      fingerprint ${text} NOT NULL,
      state ${text} NOT NULL,
      registration ${text} NOT NULL,
      product ${text} NOT NULL,
      hardware_revision ${text} NOT NULL,
      template ${text},
      created_at ${integer} NOT NULL,
      created_by ${text} NOT NULL,
      PRIMARY KEY (tenant, fingerprint)
    )${keyed}`,
    "CREATE INDEX certificates_unclaimed ON certificates (issuer, issued_at) WHERE state = 'pending' AND claim_id IS NULL",
  ],
};
