import type { EpochMs } from '@holdfast/kernel';
import type {
  EnrollmentRequest,
  EnrollmentRequestChange,
  EnrollmentRequestRepository,
  OneTimePassword,
  OneTimePasswordRepository,
  Page,
  PageRequest,
  Sha256Hex,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { EnrollmentRequestTable, OneTimePasswordTable } from '../tables/identity.ts';
import { compileWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';

export class SqlOneTimePasswordRepository implements OneTimePasswordRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(passwordId: string): Promise<OneTimePassword | undefined> {
    const row = await this.#reader.first(
      query.selectFrom('one_time_passwords').selectAll().where('password_id', '=', passwordId),
    );
    return row && passwordFromRow(row);
  }

  async newestOfSerial(tenant: Tenant, serialNumber: string): Promise<OneTimePassword | undefined> {
    const row = await this.#reader.first(
      query
        .selectFrom('one_time_passwords')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('serial_number', '=', serialNumber)
        .where('state', '!=', 'void')
        .orderBy('created_at', 'desc')
        .orderBy('password_id')
        .limit(1),
    );
    return row && passwordFromRow(row);
  }

  async ofClaim(tenant: Tenant, claimId: string, page: PageRequest): Promise<Page<OneTimePassword>> {
    const rows = await this.#reader.all(
      query
        .selectFrom('one_time_passwords')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('claim_id', '=', claimId)
        .where('password_id', '>', page.after ?? '')
        .orderBy('password_id')
        .limit(page.limit + 1),
    );
    return pageOf(rows.map(passwordFromRow), page, ({ passwordId }) => passwordId);
  }

  inserting(password: OneTimePassword): Write {
    return compileWrite(
      query.insertInto('one_time_passwords').values({
        password_id: password.passwordId,
        tenant: password.tenant,
        claim_id: password.claimId,
        serial_number: password.serialNumber ?? null,
        verifier: password.verifier,
        state: password.state,
        expires_at: password.expiresAt,
        created_at: password.createdAt,
        created_by: password.createdBy,
        used_at: password.usedAt ?? null,
        used_key: password.usedKey ?? null,
      }),
      { expectRows: 1 },
    );
  }

  using(passwordId: string, key: Sha256Hex, at: EpochMs): Write {
    return compileWrite(
      query
        .updateTable('one_time_passwords')
        .set({ state: 'used', used_key: key, used_at: at })
        .where('password_id', '=', passwordId)
        .where('state', '=', 'open'),
      { expectRows: 1 },
    );
  }

  voidingOfSerial(tenant: Tenant, serialNumber: string): Write {
    return compileWrite(
      query
        .updateTable('one_time_passwords')
        .set({ state: 'void' })
        .where('tenant', '=', tenant)
        .where('serial_number', '=', serialNumber)
        .where('state', '=', 'open'),
    );
  }
}

export class SqlEnrollmentRequestRepository implements EnrollmentRequestRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(requestId: string): Promise<EnrollmentRequest | undefined> {
    const row = await this.#reader.first(
      query.selectFrom('enrollment_requests').selectAll().where('request_id', '=', requestId),
    );
    return row && requestFromRow(row);
  }

  async issuedTo(tenant: Tenant, claimId: string, spkiSha256: Sha256Hex): Promise<EnrollmentRequest | undefined> {
    const row = await this.#reader.first(
      query
        .selectFrom('enrollment_requests')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('claim_id', '=', claimId)
        .where('spki_sha256', '=', spkiSha256)
        .where('state', '=', 'issued')
        .orderBy('created_at', 'desc')
        .limit(1),
    );
    return row && requestFromRow(row);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<EnrollmentRequest>> {
    const rows = await this.#reader.all(
      query
        .selectFrom('enrollment_requests')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('state', '!=', 'issued')
        .where('request_id', '>', page.after ?? '')
        .orderBy('request_id')
        .limit(page.limit + 1),
    );
    return pageOf(rows.map(requestFromRow), page, ({ requestId }) => requestId);
  }

  async countWaiting(tenant: Tenant, claimId: string): Promise<{ readonly tenant: number; readonly claim: number }> {
    const waiting = query
      .selectFrom('enrollment_requests')
      .select((each) => each.fn.countAll<number>().as('waiting'))
      .where('tenant', '=', tenant)
      .where('state', '=', 'waiting');
    const [all, ofClaim] = await Promise.all([
      this.#reader.first(waiting),
      this.#reader.first(waiting.where('claim_id', '=', claimId)),
    ]);
    return { tenant: all?.waiting ?? 0, claim: ofClaim?.waiting ?? 0 };
  }

  inserting(request: EnrollmentRequest): Write {
    return compileWrite(query.insertInto('enrollment_requests').values(requestToRow(request)), { expectRows: 1 });
  }

  changing(from: EnrollmentRequest, change: EnrollmentRequestChange): Write {
    const { state, expires_at, decided_by, certificate } = requestToRow({ ...from, ...change });
    const rows = query
      .updateTable('enrollment_requests')
      .set({ state, expires_at, decided_by, certificate })
      .where('request_id', '=', from.requestId)
      .where('state', '=', from.state);
    const expected =
      from.certificate === undefined
        ? rows.where('certificate', 'is', null)
        : rows.where('certificate', '=', from.certificate);
    return compileWrite(expected, { expectRows: 1 });
  }

  forgetting(now: EpochMs): Write {
    return compileWrite(query.deleteFrom('enrollment_requests').where('expires_at', '<=', now));
  }
}

function passwordFromRow(row: OneTimePasswordTable): OneTimePassword {
  return {
    passwordId: row.password_id,
    tenant: row.tenant,
    claimId: row.claim_id,
    serialNumber: row.serial_number ?? undefined,
    verifier: row.verifier,
    state: row.state as OneTimePassword['state'],
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    createdBy: row.created_by,
    usedAt: row.used_at ?? undefined,
    usedKey: row.used_key ?? undefined,
  };
}

function requestToRow(request: EnrollmentRequest): EnrollmentRequestTable {
  return {
    request_id: request.requestId,
    tenant: request.tenant,
    claim_id: request.claimId,
    product: request.product,
    serial_number: request.serialNumber,
    spki_sha256: request.spkiSha256,
    state: request.state,
    remote_address: request.remoteAddress,
    created_at: request.createdAt,
    expires_at: request.expiresAt,
    decided_by: request.decidedBy ?? null,
    certificate: request.certificate ?? null,
  };
}

function requestFromRow(row: EnrollmentRequestTable): EnrollmentRequest {
  return {
    requestId: row.request_id,
    tenant: row.tenant,
    claimId: row.claim_id,
    product: row.product,
    serialNumber: row.serial_number,
    spkiSha256: row.spki_sha256,
    state: row.state as EnrollmentRequest['state'],
    remoteAddress: row.remote_address,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    decidedBy: row.decided_by ?? undefined,
    certificate: row.certificate ?? undefined,
  };
}
