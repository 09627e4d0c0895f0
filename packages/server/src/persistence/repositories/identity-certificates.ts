import { type EpochMs, HoldfastError } from '@holdfast/kernel';
import type {
  CertificateChange,
  CertificateInUse,
  CertificateProfile,
  CertificateRecord,
  CertificateRepository,
  DeviceId,
  CertificateState,
  Fingerprint,
  IssuedCertificate,
  Page,
  PageRequest,
  RevokedCertificate,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import type { Reader } from '../reader.ts';
import { type RowSeal, SEALED_COLUMNS, type SealedRows } from '../row-seal.ts';
import { query } from '../schema.ts';
import type { CertificateTable } from '../tables/identity.ts';
import { defineInsert, defineWrite } from '../write.ts';
import {
  readActive,
  readBySerial,
  readCertificate,
  readInUse,
  readIssued,
  readOfDevice,
  readPending,
  readRevoked,
  readSubjects,
  readUnclaimed,
} from './identity-certificate-reads.ts';
import { pageOf } from './keyset-page.ts';

const insertCertificate = defineInsert('certificates');
type Change = Pick<
  CertificateTable,
  'fingerprint' | 'state' | 'subject_id' | 'first_used_at' | 'revoked_at' | 'revocation_reason' | 'mac'
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
      mac: arg('mac'),
    })
    .where('fingerprint', '=', arg('fingerprint'))
    .where('state', '=', arg('former'));
}

const AUTHORITIES: ReadonlySet<CertificateProfile> = new Set(['root', 'issuing', 'cross']);

export class SqlCertificateRepository implements CertificateRepository {
  readonly #reader: Reader;
  readonly #seal: RowSeal | undefined;

  constructor(reader: Reader, seal?: RowSeal) {
    this.#reader = reader;
    this.#seal = seal;
  }

  async find(fingerprint: Fingerprint): Promise<CertificateRecord | undefined> {
    const row = await this.#reader.first(readCertificate({ fingerprint }));
    return row && this.#fromRow(row);
  }

  async findWithIssuer(fingerprint: Fingerprint): Promise<IssuedCertificate | undefined> {
    const row = await this.#reader.first(readIssued({ fingerprint }));
    return row && { certificate: this.#fromRow(row), issuerState: this.#issuerStateOf(row) };
  }

  async findBySerial(serialNumber: string): Promise<CertificateRecord | undefined> {
    const row = await this.#reader.first(readBySerial({ serialNumber }));
    return row && this.#fromRow(row);
  }

  async ofDevice(tenant: Tenant, deviceId: DeviceId): Promise<readonly CertificateRecord[]> {
    const rows = await this.#reader.all(readOfDevice({ tenant, deviceId }));
    return rows.map((row) => this.#fromRow(row));
  }

  async pendingOfClaim(tenant: Tenant, claimId: string): Promise<readonly CertificateRecord[]> {
    const rows = await this.#reader.all(readPending({ tenant, claimId }));
    return rows.map((row) => this.#fromRow(row));
  }

  async pendingOfIssuer(tenant: Tenant, issuer: Fingerprint, limit: number): Promise<readonly CertificateRecord[]> {
    return (await this.#reader.all(readUnclaimed({ tenant, issuer, limit }))).map((row) => this.#fromRow(row));
  }

  async activeOfProfile(tenant: Tenant, profile: CertificateProfile): Promise<readonly CertificateRecord[]> {
    const rows = await this.#reader.all(readActive({ tenant, profile }));
    const certificates = rows.map((row) => this.#fromRow(row));
    const whole = certificates.filter(({ state }) => state === 'active');
    // An authority that somebody else wrote is trusted by nobody, nor is one made in its place.
    if (whole.length < certificates.length && AUTHORITIES.has(profile))
      throw new HoldfastError('identity.altered_authority');
    return whole;
  }

  async inUse(tenant: Tenant, page: PageRequest): Promise<Page<CertificateInUse>> {
    const rows = await this.#reader.all(readInUse({ tenant, after: page.after ?? '', limit: page.limit + 1 }));
    const certificates = rows.map((row) => ({
      fingerprint: row.fingerprint,
      deviceId: row.device_id,
      notBefore: row.not_before,
      notAfter: row.not_after,
    }));
    return pageOf(certificates, page, ({ fingerprint }) => fingerprint);
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
    return insertCertificate(this.#toRow(certificate));
  }

  changing(from: CertificateRecord, change: CertificateChange): Write {
    const row = this.#toRow({ ...from, ...change });
    const { state, subject_id, first_used_at, revoked_at, revocation_reason, mac } = row;
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
      mac,
    });
  }

  #toRow(certificate: CertificateRecord): CertificateTable {
    const row = columnsOf(certificate);
    return { ...row, mac: this.#seal?.seal('certificate', row) ?? null };
  }

  /** A row that somebody else wrote is no ground to let anybody in. */
  #fromRow(row: CertificateTable): CertificateRecord {
    const certificate = fromRow(row);
    return this.#seal?.holds('certificate', row) === false ? { ...certificate, state: 'revoked' } : certificate;
  }

  #issuerStateOf(row: Readonly<Record<string, unknown>>): CertificateState | undefined {
    const issuer = issuerOf(row);
    if (issuer === undefined) return undefined;
    return this.#seal?.holds('certificate', issuer) === false ? 'revoked' : (issuer.state as CertificateState);
  }
}

/** The columns of a joined issuer under their own names; undefined when there is none. */
function issuerOf(
  row: Readonly<Record<string, unknown>>,
): (SealedRows['certificate'] & { readonly mac: Uint8Array | null }) | undefined {
  if (row['issuer_fingerprint'] === null) return undefined;
  const columns = [...SEALED_COLUMNS.certificate, 'mac'];
  return Object.fromEntries(columns.map((column) => [column, row[`issuer_${column}`]])) as never;
}

function columnsOf(certificate: CertificateRecord): Omit<CertificateTable, 'mac'> {
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
