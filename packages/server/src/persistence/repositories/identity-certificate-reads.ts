import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import { SEALED_COLUMNS } from '../row-seal.ts';
import { query } from '../schema.ts';

export const readCertificate = defineRead((arg: ArgumentOf<{ fingerprint: string }>) =>
  query.selectFrom('certificates').selectAll().where('fingerprint', '=', arg('fingerprint')),
);

const ISSUER_COLUMNS = [...SEALED_COLUMNS.certificate, 'mac' as const].map(
  (column) => `issuers.${column} as issuer_${column}` as const,
);

export const readIssued = defineRead((arg: ArgumentOf<{ fingerprint: string }>) =>
  query
    .selectFrom('certificates')
    .leftJoin('certificates as issuers', 'issuers.fingerprint', 'certificates.issuer')
    .selectAll('certificates')
    .select(ISSUER_COLUMNS)
    .where('certificates.fingerprint', '=', arg('fingerprint')),
);

export const readBySerial = defineRead((arg: ArgumentOf<{ serialNumber: string }>) =>
  query.selectFrom('certificates').selectAll().where('serial_number', '=', arg('serialNumber')),
);

export const readOfDevice = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string }>) =>
  query
    .selectFrom('certificates')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('profile', '=', 'device')
    .where('subject_id', '=', arg('deviceId'))
    .orderBy('issued_at', 'desc')
    .orderBy('fingerprint'),
);

export const readPending = defineRead((arg: ArgumentOf<{ tenant: string; claimId: string }>) =>
  query
    .selectFrom('certificates')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('claim_id', '=', arg('claimId'))
    .where('state', '=', 'pending')
    .orderBy('issued_at')
    .orderBy('fingerprint'),
);

export const readUnclaimed = defineRead((arg: ArgumentOf<{ tenant: string; issuer: string; limit: number }>) =>
  query
    .selectFrom('certificates')
    .selectAll()
    .where('issuer', '=', arg('issuer'))
    .where('tenant', '=', arg('tenant'))
    .where('state', '=', 'pending')
    .where('claim_id', 'is', null)
    .orderBy('issued_at')
    .limit(arg('limit')),
);

export const readActive = defineRead((arg: ArgumentOf<{ tenant: string; profile: string }>) =>
  query
    .selectFrom('certificates')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('profile', '=', arg('profile'))
    .where('state', '=', 'active')
    .orderBy('issued_at', 'desc')
    .orderBy('fingerprint'),
);

export const readSubjects = defineRead(
  (arg: ArgumentOf<{ tenant: string; issuer: string; profile: string; after: string; limit: number }>) =>
    query
      .selectFrom('certificates')
      .select(['fingerprint', 'subject_id'])
      .where('tenant', '=', arg('tenant'))
      .where('issuer', '=', arg('issuer'))
      .where('profile', '=', arg('profile'))
      .where('state', 'in', ['pending', 'active', 'successor'])
      .where('subject_id', 'is not', null)
      .where('fingerprint', '>', arg('after'))
      .orderBy('fingerprint')
      .limit(arg('limit')),
);

export const readInUse = defineRead((arg: ArgumentOf<{ tenant: string; after: string; limit: number }>) =>
  query
    .selectFrom('certificates')
    .innerJoin('devices', (join) =>
      join
        .onRef('devices.tenant', '=', 'certificates.tenant')
        .onRef('devices.device_id', '=', 'certificates.subject_id'),
    )
    .select(['fingerprint', 'device_id', 'not_before', 'not_after'])
    .where('certificates.tenant', '=', arg('tenant'))
    .where('certificates.profile', '=', 'device')
    .where('certificates.state', '=', 'active')
    .where('devices.state', '=', 'active')
    .where('fingerprint', '>', arg('after'))
    .orderBy('fingerprint')
    .limit(arg('limit')),
);

export const readRevoked = defineRead((arg: ArgumentOf<{ issuer: string; notAfter: number }>) =>
  query
    .selectFrom('certificates')
    .select(['serial_number', 'revoked_at', 'revocation_reason'])
    .where('issuer', '=', arg('issuer'))
    .where('state', 'in', ['revoked', 'superseded', 'abandoned'])
    .where('not_after', '>=', arg('notAfter'))
    .orderBy('serial_number'),
);
