import { createHash } from 'node:crypto';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { decodePem } from '@holdfast/wire/pem';
import type { EnrollingClient } from './enrolling-client.ts';

/** What must never be found in the records, as SQL that finds it. */
const FORBIDDEN: readonly (readonly [words: string, sql: string])[] = [
  [
    'a certificate without its audit entry',
    `SELECT fingerprint AS name FROM certificates WHERE profile = 'device' AND NOT EXISTS
       (SELECT 1 FROM audit_entries WHERE action = 'certificate.issued' AND subject = fingerprint)`,
  ],
  [
    'an active certificate without its registry row',
    `SELECT fingerprint AS name FROM certificates AS c WHERE profile = 'device' AND state = 'active' AND NOT EXISTS
       (SELECT 1 FROM devices AS d WHERE d.tenant = c.tenant AND d.device_id = c.subject_id AND d.state = 'active')`,
  ],
  [
    'a certificate whose key nobody owns',
    `SELECT fingerprint AS name FROM certificates AS c WHERE profile = 'device' AND state = 'active' AND NOT EXISTS
       (SELECT 1 FROM key_owners AS k WHERE k.spki_sha256 = c.spki_sha256)`,
  ],
  [
    'two active certificates of one device',
    `SELECT subject_id AS name FROM certificates WHERE profile = 'device' AND state = 'active'
       GROUP BY tenant, subject_id HAVING count(*) > 1`,
  ],
  [
    'a device without active certificate',
    `SELECT device_id AS name FROM devices AS d WHERE NOT EXISTS (SELECT 1 FROM certificates AS c
       WHERE c.tenant = d.tenant AND c.subject_id = d.device_id AND c.state = 'active' AND c.profile = 'device')`,
  ],
  [
    'a device without its audit entry, or with two',
    `SELECT device_id AS name FROM devices AS d WHERE
       (SELECT count(*) FROM audit_entries AS a WHERE a.action = 'device.enrolled' AND a.subject = d.device_id) <> 1`,
  ],
];

/** @returns a line for everything that must not be */
export function judgeRecords(dataFolder: string, clients: readonly EnrollingClient[]): readonly string[] {
  const db = new DatabaseSync(path.join(dataFolder, 'holdfast.db'), { readOnly: true });
  try {
    const faults = FORBIDDEN.flatMap(([words, sql]) =>
      db
        .prepare(sql)
        .all()
        .map(({ name }) => `${words}: ${String(name)}`),
    );
    const active = db.prepare(`SELECT subject_id AS name FROM certificates WHERE fingerprint = ? AND state = 'active'`);
    for (const { identity, serial } of clients) {
      if (identity === undefined) {
        faults.push(`a client that was never enrolled: ${serial}`);
        continue;
      }
      const der = decodePem(identity.certificatePem, 'CERTIFICATE');
      const row = active.get(createHash('sha256').update(der).digest('hex'));
      if (row?.['name'] !== identity.deviceId)
        faults.push(`an acknowledged certificate that is gone: ${identity.deviceId}`);
    }
    return faults;
  } finally {
    db.close();
  }
}
