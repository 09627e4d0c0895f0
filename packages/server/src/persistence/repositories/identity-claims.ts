import type { EpochMs } from '@holdfast/kernel';
import type {
  ClaimRecord,
  ClaimRepository,
  ClaimSerial,
  DeviceId,
  Fingerprint,
  OwnershipToken,
  OwnershipTokenRepository,
  Page,
  PageRequest,
  Sha256Hex,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import type { Reader } from '../reader.ts';
import type { RowSeal } from '../row-seal.ts';
import { query } from '../schema.ts';
import type { ClaimTable, OwnershipTokenTable } from '../tables/identity.ts';
import { compileWrite, defineWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';

const countUse = defineWrite<{ tenant: string; claimId: string }>(
  (arg) =>
    query
      .updateTable('claims')
      .set((each) => ({ used: each('used', '+', 1) }))
      .where('tenant', '=', arg('tenant'))
      .where('claim_id', '=', arg('claimId'))
      .where('state', '=', 'active')
      .whereRef('used', '<', 'quota'),
  { expectRows: 1 },
);

const readClaim = defineRead((arg: ArgumentOf<{ tenant: string; claimId: string }>) =>
  query.selectFrom('claims').selectAll().where('tenant', '=', arg('tenant')).where('claim_id', '=', arg('claimId')),
);

const readSerial = defineRead((arg: ArgumentOf<{ tenant: string; claimId: string; serialNumber: string }>) =>
  query
    .selectFrom('claim_serials')
    .select('used_at')
    .where('tenant', '=', arg('tenant'))
    .where('claim_id', '=', arg('claimId'))
    .where('serial_number', '=', arg('serialNumber')),
);

const readFreeSerials = defineRead((arg: ArgumentOf<{ tenant: string; claimId: string; limit: number }>) =>
  query
    .selectFrom('claim_serials')
    .select('serial_number')
    .where('tenant', '=', arg('tenant'))
    .where('claim_id', '=', arg('claimId'))
    .where('used_at', 'is', null)
    .orderBy('serial_number')
    .limit(arg('limit')),
);

const readPage = defineRead((arg: ArgumentOf<{ tenant: string; after: string; limit: number }>) =>
  query
    .selectFrom('claims')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('claim_id', '>', arg('after'))
    .orderBy('claim_id')
    .limit(arg('limit')),
);

const readToken = defineRead((arg: ArgumentOf<{ tokenSha256: string }>) =>
  query.selectFrom('ownership_tokens').selectAll().where('token_sha256', '=', arg('tokenSha256')),
);

const readExpired = defineRead((arg: ArgumentOf<{ now: number; limit: number }>) =>
  query
    .selectFrom('ownership_tokens')
    .selectAll()
    .where('state', '=', 'open')
    .where('expires_at', '<=', arg('now'))
    .orderBy('expires_at')
    .limit(arg('limit')),
);

export class SqlClaimRepository implements ClaimRepository {
  readonly #reader: Reader;
  readonly #seal: RowSeal | undefined;

  constructor(reader: Reader, seal?: RowSeal) {
    this.#reader = reader;
    this.#seal = seal;
  }

  async find(tenant: Tenant, claimId: string): Promise<ClaimRecord | undefined> {
    const row = await this.#reader.first(readClaim({ tenant, claimId }));
    return row && this.#fromRow(row);
  }

  async findSerial(tenant: Tenant, claimId: string, serialNumber: string): Promise<ClaimSerial | undefined> {
    const row = await this.#reader.first(readSerial({ tenant, claimId, serialNumber }));
    return row && { serialNumber, usedAt: row.used_at ?? undefined };
  }

  async freeSerials(tenant: Tenant, claimId: string, limit: number): Promise<readonly string[]> {
    const rows = await this.#reader.all(readFreeSerials({ tenant, claimId, limit }));
    return rows.map(({ serial_number }) => serial_number);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<ClaimRecord>> {
    const rows = await this.#reader.all(readPage({ tenant, after: page.after ?? '', limit: page.limit + 1 }));
    return pageOf(
      rows.map((row) => this.#fromRow(row)),
      page,
      ({ claimId }) => claimId,
    );
  }

  inserting(claim: ClaimRecord): Write {
    return compileWrite(query.insertInto('claims').values(this.#toRow(claim)), { expectRows: 1 });
  }

  listing(tenant: Tenant, claimId: string, serialNumber: string): Write {
    return compileWrite(
      query
        .insertInto('claim_serials')
        .values({ tenant, claim_id: claimId, serial_number: serialNumber, used_at: null }),
      { expectRows: 1 },
    );
  }

  counting(tenant: Tenant, claimId: string): Write {
    return countUse({ tenant, claimId });
  }

  usingSerial(tenant: Tenant, claimId: string, serialNumber: string, at: EpochMs): Write {
    return compileWrite(
      query
        .updateTable('claim_serials')
        .set({ used_at: at })
        .where('tenant', '=', tenant)
        .where('claim_id', '=', claimId)
        .where('serial_number', '=', serialNumber)
        .where('used_at', 'is', null),
      { expectRows: 1 },
    );
  }

  #toRow(claim: ClaimRecord): ClaimTable {
    const row = claimColumns(claim);
    return { ...row, mac: this.#seal?.seal('claim', row) ?? null };
  }

  /** A row that somebody else wrote lets nobody enroll. */
  #fromRow(row: ClaimTable): ClaimRecord {
    const claim = claimFromRow(row);
    return this.#seal?.holds('claim', row) === false ? { ...claim, state: 'revoked' } : claim;
  }

  revoking(claim: ClaimRecord): Write {
    const { tenant, claimId } = claim;
    const { state, mac } = this.#toRow({ ...claim, state: 'revoked' });
    return compileWrite(
      query
        .updateTable('claims')
        .set({ state, mac })
        .where('tenant', '=', tenant)
        .where('claim_id', '=', claimId)
        .where('state', '=', 'active'),
      { expectRows: 1 },
    );
  }
}

export class SqlOwnershipTokenRepository implements OwnershipTokenRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tokenSha256: Sha256Hex): Promise<OwnershipToken | undefined> {
    const row = await this.#reader.first(readToken({ tokenSha256 }));
    return row && tokenFromRow(row);
  }

  async expired(now: EpochMs, limit: number): Promise<readonly OwnershipToken[]> {
    const rows = await this.#reader.all(readExpired({ now, limit }));
    return rows.map(tokenFromRow);
  }

  inserting(token: OwnershipToken): Write {
    return compileWrite(
      query.insertInto('ownership_tokens').values({
        token_sha256: token.tokenSha256,
        tenant: token.tenant,
        claim_id: token.claimId,
        connection_id: token.connectionId,
        fingerprint: token.fingerprint,
        state: token.state,
        expires_at: token.expiresAt,
        device_id: token.deviceId ?? null,
      }),
      { expectRows: 1 },
    );
  }

  using(tokenSha256: Sha256Hex, deviceId: DeviceId): Write {
    return compileWrite(
      query
        .updateTable('ownership_tokens')
        .set({ state: 'used', device_id: deviceId })
        .where('token_sha256', '=', tokenSha256)
        .where('state', '=', 'open'),
      { expectRows: 1 },
    );
  }

  voiding(fingerprint: Fingerprint): Write {
    return compileWrite(
      query
        .updateTable('ownership_tokens')
        .set({ state: 'void' })
        .where('fingerprint', '=', fingerprint)
        .where('state', '!=', 'void'),
    );
  }

  voidingOfClaim(tenant: Tenant, claimId: string): Write {
    return compileWrite(
      query
        .updateTable('ownership_tokens')
        .set({ state: 'void' })
        .where('tenant', '=', tenant)
        .where('claim_id', '=', claimId)
        .where('state', '!=', 'void'),
    );
  }
}

function claimColumns(claim: ClaimRecord): Omit<ClaimTable, 'mac'> {
  return {
    tenant: claim.tenant,
    claim_id: claim.claimId,
    product: claim.product,
    hardware_revision: claim.hardwareRevision,
    group_names: JSON.stringify(claim.groups),
    fingerprint: claim.fingerprint,
    state: claim.state,
    scope: claim.scope,
    quota: claim.quota,
    used: claim.used,
    expires_at: claim.expiresAt,
    auto_register: claim.autoRegister ? 1 : 0,
    created_at: claim.createdAt,
    created_by: claim.createdBy,
    template: claim.template ?? null,
  };
}

function claimFromRow(row: ClaimTable): ClaimRecord {
  return {
    tenant: row.tenant,
    claimId: row.claim_id,
    product: row.product,
    hardwareRevision: row.hardware_revision,
    groups: JSON.parse(row.group_names) as ClaimRecord['groups'],
    fingerprint: row.fingerprint,
    state: row.state as ClaimRecord['state'],
    scope: row.scope as ClaimRecord['scope'],
    quota: row.quota,
    used: row.used,
    expiresAt: row.expires_at,
    autoRegister: row.auto_register === 1,
    createdAt: row.created_at,
    createdBy: row.created_by,
    template: row.template ?? undefined,
  };
}

function tokenFromRow(row: OwnershipTokenTable): OwnershipToken {
  return {
    tokenSha256: row.token_sha256,
    tenant: row.tenant,
    claimId: row.claim_id,
    connectionId: row.connection_id,
    fingerprint: row.fingerprint,
    state: row.state as OwnershipToken['state'],
    expiresAt: row.expires_at,
    deviceId: row.device_id ?? undefined,
  };
}
