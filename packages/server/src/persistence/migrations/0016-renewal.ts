import type { Migration } from '../migrate.ts';

export const RENEWAL_0016: Migration = {
  id: '0016-renewal',
  statements: ({ integer, text, blob, keyed }) => [
    `CREATE TABLE device_ratchets (
      tenant ${text} NOT NULL,
      device_id ${text} NOT NULL,
      value_sha256 ${text} NOT NULL,
      generation ${integer} NOT NULL,
      turned_at ${integer} NOT NULL,
      remote_address ${text} NOT NULL,
      PRIMARY KEY (tenant, device_id)
    )${keyed}`,
    `CREATE TABLE renewal_campaigns (
      tenant ${text} NOT NULL,
      campaign_id ${text} NOT NULL,
      state ${text} NOT NULL,
      product ${text},
      group_name ${text},
      per_minute ${integer} NOT NULL,
      position ${text} NOT NULL,
      reached ${integer} NOT NULL,
      started_at ${integer} NOT NULL,
      started_by ${text} NOT NULL,
      ended_at ${integer},
      PRIMARY KEY (tenant, campaign_id)
    )${keyed}`,
    // Filled in by the first start after this step.
    `ALTER TABLE devices ADD COLUMN mac ${blob}`,
    `ALTER TABLE certificates ADD COLUMN mac ${blob}`,
    `ALTER TABLE claims ADD COLUMN mac ${blob}`,
  ],
};
