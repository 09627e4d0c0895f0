import type { EpochMs } from '@holdfast/kernel';
import type {
  CertificateChange,
  CertificateProfile,
  CertificateRecord,
  CertificateRepository,
  CrlRepository,
  DeviceId,
  CertificateState,
  Fingerprint,
  IssuedCertificate,
  KeyOwner,
  KeyOwnerRepository,
  Page,
  PageRequest,
  PublishedCrl,
  RevokedCertificate,
  Sha256Hex,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { CertificateTable, CrlTable } from '../tables/identity.ts';
import { compileWrite, defineInsert, defineWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';

const insertCertificate = defineInsert('certificates');
const insertKeyOwner = defineInsert('key_owners');

type Change = Pick<
  CertificateTable,
  'fingerprint' | 'state' | 'subject_id' | 'first_used_at' | 'revoked_at' | 'revocation_reason'
> & { readonly former: string; readonly formerUse: number | null };

const updateUnused = defineWrite<Change>((arg) => changingCertificate(arg).where('first_used_at', 'is', null), {
  expectRows: 1,
});
const updateUsed = defineWrite<Change>(
  (arg) => changingCertificate(arg).where('first_used_at', '=', arg('formerUse')),
  { expectRows: 1 },
);

function changingCertificate(arg: ArgumentOf<Change>) {
  return query
    .updateTable('certificates')
    .set({
      state: arg('state'),
      subject_id: arg('subject_id'),
      first_used_at: arg('first_used_at'),
      revoked_at: arg('revoked_at'),
      revocation_reason: arg('revocation_reason'),
    })
    .where('fingerprint', '=', arg('fingerprint'))
    .where('state', '=', arg('former'));
}

const readCertificate = defineRead((arg: ArgumentOf<{ fingerprint: string }>) =>
  query.selectFrom('certificates').selectAll().where('fingerprint', '=', arg('fingerprint')),
);

const readIssued = defineRead((arg: ArgumentOf<{ fingerprint: string }>) =>
  query
    .selectFrom('certificates')
    .leftJoin('certificates as issuers', 'issuers.fingerprint', 'certificates.issuer')
    .selectAll('certificates')
    .select('issuers.state as issuer_state')
    .where('certificates.fingerprint', '=', arg('fingerprint')),
);

const readBySerial = defineRead((arg: ArgumentOf<{ serialNumber: string }>) =>
  query.selectFrom('certificates').selectAll().where('serial_number', '=', arg('serialNumber')),
);

const readOfDevice = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string }>) =>
  query
    .selectFrom('certificates')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('profile', '=', 'device')
    .where('subject_id', '=', arg('deviceId'))
    .orderBy('issued_at', 'desc')
    .orderBy('fingerprint'),
);

const readPending = defineRead((arg: ArgumentOf<{ tenant: string; claimId: string }>) =>
  query
    .selectFrom('certificates')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('claim_id', '=', arg('claimId'))
    .where('state', '=', 'pending')
    .orderBy('issued_at')
    .orderBy('fingerprint'),
);

const readUnclaimed = defineRead((arg: ArgumentOf<{ tenant: string; issuer: string; limit: number }>) =>
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

const readActive = defineRead((arg: ArgumentOf<{ tenant: string; profile: string }>) =>
  query
    .selectFrom('certificates')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('profile', '=', arg('profile'))
    .where('state', '=', 'active')
    .orderBy('issued_at', 'desc')
    .orderBy('fingerprint'),
);

const readSubjects = defineRead(
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

const readRevoked = defineRead((arg: ArgumentOf<{ issuer: string; notAfter: number }>) =>
  query
    .selectFrom('certificates')
    .select(['serial_number', 'revoked_at', 'revocation_reason'])
    .where('issuer', '=', arg('issuer'))
    .where('state', 'in', ['revoked', 'superseded', 'abandoned'])
    .where('not_after', '>=', arg('notAfter'))
    .orderBy('serial_number'),
);

const readKeyOwner = defineRead((arg: ArgumentOf<{ spkiSha256: string }>) =>
  query.selectFrom('key_owners').selectAll().where('spki_sha256', '=', arg('spkiSha256')),
);

const readCrl = defineRead((arg: ArgumentOf<{ issuer: string }>) =>
  query.selectFrom('crls').selectAll().where('issuer', '=', arg('issuer')),
);

export class SqlCertificateRepository implements CertificateRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(fingerprint: Fingerprint): Promise<CertificateRecord | undefined> {
    const row = await this.#reader.first(readCertificate({ fingerprint }));
    return row && fromRow(row);
  }

  async findWithIssuer(fingerprint: Fingerprint): Promise<IssuedCertificate | undefined> {
    const row = await this.#reader.first(readIssued({ fingerprint }));
    return row && { certificate: fromRow(row), issuerState: (row.issuer_state ?? undefined) as CertificateState };
  }

  async findBySerial(serialNumber: string): Promise<CertificateRecord | undefined> {
    const row = await this.#reader.first(readBySerial({ serialNumber }));
    return row && fromRow(row);
  }

  async ofDevice(tenant: Tenant, deviceId: DeviceId): Promise<readonly CertificateRecord[]> {
    const rows = await this.#reader.all(readOfDevice({ tenant, deviceId }));
    return rows.map(fromRow);
  }

  async pendingOfClaim(tenant: Tenant, claimId: string): Promise<readonly CertificateRecord[]> {
    const rows = await this.#reader.all(readPending({ tenant, claimId }));
    return rows.map(fromRow);
  }

  async pendingOfIssuer(tenant: Tenant, issuer: Fingerprint, limit: number): Promise<readonly CertificateRecord[]> {
    return (await this.#reader.all(readUnclaimed({ tenant, issuer, limit }))).map(fromRow);
  }

  async activeOfProfile(tenant: Tenant, profile: CertificateProfile): Promise<readonly CertificateRecord[]> {
    const rows = await this.#reader.all(readActive({ tenant, profile }));
    return rows.map(fromRow);
  }

  async subjectsOfIssuer(
    tenant: Tenant,
    { issuer, profile }: { readonly issuer: Fingerprint; readonly profile: CertificateProfile },
    page: PageRequest,
  ): Promise<Page<string>> {
    const rows = await this.#reader.all(
      readSubjects({ tenant, issuer, profile, after: page.after ?? '', limit: page.limit + 1 }),
    );
    const { next, rows: kept } = pageOf(rows, page, ({ fingerprint }) => fingerprint);
    return { next, rows: kept.flatMap(({ subject_id: subject }) => (subject === null ? [] : [subject])) };
  }

  async listRevoked(issuer: Fingerprint, notAfter: EpochMs): Promise<readonly RevokedCertificate[]> {
    const rows = await this.#reader.all(readRevoked({ issuer, notAfter }));
    return rows.map((row) => ({
      serialNumber: row.serial_number,
      revokedAt: row.revoked_at ?? undefined,
      revocationReason: (row.revocation_reason ?? undefined) as RevokedCertificate['revocationReason'],
    }));
  }

  inserting(certificate: CertificateRecord): Write {
    return insertCertificate(toRow(certificate));
  }

  changing(from: CertificateRecord, change: CertificateChange): Write {
    const { state, subject_id, first_used_at, revoked_at, revocation_reason } = toRow({ ...from, ...change });
    const { fingerprint, state: former, firstUsedAt = null } = from;
    const update = firstUsedAt === null ? updateUnused : updateUsed;
    return update({
      fingerprint,
      former,
      formerUse: firstUsedAt,
      state,
      subject_id,
      first_used_at,
      revoked_at,
      revocation_reason,
    });
  }
}

export class SqlKeyOwnerRepository implements KeyOwnerRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(spkiSha256: Sha256Hex): Promise<KeyOwner | undefined> {
    const row = await this.#reader.first(readKeyOwner({ spkiSha256 }));
    if (row === undefined) return undefined;
    return { spkiSha256, tenant: row.tenant, kind: row.kind as KeyOwner['kind'], id: row.owner_id };
  }

  inserting({ spkiSha256, tenant, kind, id }: KeyOwner): Write {
    return insertKeyOwner({ spki_sha256: spkiSha256, tenant, kind, owner_id: id });
  }

  moving(from: KeyOwner, to: KeyOwner): Write {
    return compileWrite(
      query
        .updateTable('key_owners')
        .set({ tenant: to.tenant, kind: to.kind, owner_id: to.id })
        .where('spki_sha256', '=', from.spkiSha256)
        .where('tenant', '=', from.tenant)
        .where('kind', '=', from.kind)
        .where('owner_id', '=', from.id),
      { expectRows: 1 },
    );
  }
}

export class SqlCrlRepository implements CrlRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(issuer: Fingerprint): Promise<PublishedCrl | undefined> {
    const row = await this.#reader.first(readCrl({ issuer }));
    if (row === undefined) return undefined;
    const { number, this_update: thisUpdate, next_update: nextUpdate, der, base_number, base_update } = row;
    const list = { issuer, number, thisUpdate, nextUpdate, der };
    return base_number === null || base_update === null
      ? list
      : { ...list, base: { number: base_number, thisUpdate: base_update } };
  }

  publishing(crl: PublishedCrl): Write {
    const { issuer, ...columns } = crlToRow(crl);
    if (crl.number === 1) return compileWrite(query.insertInto('crls').values(crlToRow(crl)), { expectRows: 1 });
    return compileWrite(
      query
        .updateTable('crls')
        .set(columns)
        .where('issuer', '=', issuer)
        .where('number', '=', crl.number - 1),
      { expectRows: 1 },
    );
  }

  publishingPart(crl: PublishedCrl): Write {
    const row = crlToRow(crl);
    const { issuer: _issuer, ...columns } = row;
    return compileWrite(
      query
        .insertInto('crls')
        .values(row)
        .onConflict((conflict) => conflict.column('issuer').doUpdateSet(columns).where('crls.number', '<', crl.number)),
      { expectRows: 1 },
    );
  }
}

function crlToRow({ issuer, number, thisUpdate, nextUpdate, der, base }: PublishedCrl): CrlTable {
  return {
    issuer,
    number,
    this_update: thisUpdate,
    next_update: nextUpdate,
    der,
    base_number: base?.number ?? null,
    base_update: base?.thisUpdate ?? null,
  };
}

function toRow(certificate: CertificateRecord): CertificateTable {
  return {
    fingerprint: certificate.fingerprint,
    tenant: certificate.tenant,
    serial_number: certificate.serialNumber,
    profile: certificate.profile,
    state: certificate.state,
    der: certificate.der,
    spki_sha256: certificate.spkiSha256,
    issuer: certificate.issuer,
    subject_id: certificate.subjectId ?? null,
    claim_id: certificate.claimId ?? null,
    key_origin: certificate.keyOrigin,
    door: certificate.door,
    not_before: certificate.notBefore,
    not_after: certificate.notAfter,
    issued_at: certificate.issuedAt,
    first_used_at: certificate.firstUsedAt ?? null,
    revoked_at: certificate.revokedAt ?? null,
    revocation_reason: certificate.revocationReason ?? null,
  };
}

function fromRow(row: CertificateTable): CertificateRecord {
  return {
    tenant: row.tenant,
    fingerprint: row.fingerprint,
    serialNumber: row.serial_number,
    profile: row.profile as CertificateRecord['profile'],
    state: row.state as CertificateRecord['state'],
    der: row.der,
    spkiSha256: row.spki_sha256,
    issuer: row.issuer,
    subjectId: row.subject_id ?? undefined,
    claimId: row.claim_id ?? undefined,
    keyOrigin: row.key_origin as CertificateRecord['keyOrigin'],
    door: row.door as CertificateRecord['door'],
    notBefore: row.not_before,
    notAfter: row.not_after,
    issuedAt: row.issued_at,
    firstUsedAt: row.first_used_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
    revocationReason: (row.revocation_reason ?? undefined) as CertificateRecord['revocationReason'],
  };
}
