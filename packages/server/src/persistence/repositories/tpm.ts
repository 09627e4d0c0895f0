import type {
  DeviceId,
  DeviceTpm,
  Fingerprint,
  Sha256Hex,
  Tenant,
  TpmAuthority,
  TpmEndorsement,
  TpmReference,
  TpmRepository,
  TpmStarts,
  Write,
} from '@holdfast/trust/ports';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { TpmAuthorityTable, TpmEndorsementTable, TpmReferenceTable } from '../tables/tpm.ts';
import { compileWrite } from '../write.ts';

/** Most rows one question reads; an operator lists makers and versions by hand. */
const MOST = 1000;

export class SqlTpmRepository implements TpmRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async authorities(tenant: Tenant): Promise<readonly TpmAuthority[]> {
    const all = query.selectFrom('tpm_authorities').selectAll().where('tenant', '=', tenant);
    return (await this.#reader.all(all.orderBy('fingerprint').limit(MOST))).map(authorityOf);
  }

  async endorsement(tenant: Tenant, keySha256: Sha256Hex): Promise<TpmEndorsement | undefined> {
    const row = await this.#reader.first(
      query.selectFrom('tpm_endorsements').selectAll().where('tenant', '=', tenant).where('key_sha256', '=', keySha256),
    );
    return row && endorsementOf(row);
  }

  async endorsements(tenant: Tenant, claimId: string): Promise<readonly TpmEndorsement[]> {
    const all = query
      .selectFrom('tpm_endorsements')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('claim_id', '=', claimId)
      .orderBy('key_sha256')
      .limit(MOST);
    return (await this.#reader.all(all)).map(endorsementOf);
  }

  async ofDevice(tenant: Tenant, deviceId: DeviceId): Promise<DeviceTpm | undefined> {
    const row = await this.#reader.first(this.#device(tenant, deviceId));
    return (
      row && {
        tenant,
        deviceId,
        attestationKey: row.attestation_key,
        endorsementSha256: row.endorsement_sha256,
        trust: row.trust as DeviceTpm['trust'],
        enrolledAt: row.enrolled_at,
      }
    );
  }

  async starts(tenant: Tenant, deviceId: DeviceId): Promise<TpmStarts | undefined> {
    const row = await this.#reader.first(this.#device(tenant, deviceId));
    if (row === undefined || row.reset_count === null || row.restart_count === null) return undefined;
    return { resetCount: row.reset_count, restartCount: row.restart_count };
  }

  async references(tenant: Tenant, product: string): Promise<readonly TpmReference[]> {
    const all = query
      .selectFrom('tpm_references')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('product', '=', product)
      .orderBy('recorded_at', 'desc')
      .limit(MOST);
    return (await this.#reader.all(all)).map(referenceOf);
  }

  trusting({ tenant, fingerprint, der, claimId, createdAt, createdBy }: TpmAuthority): Write {
    const row = { tenant, fingerprint, der, claim_id: claimId, created_at: createdAt, created_by: createdBy };
    return compileWrite(query.insertInto('tpm_authorities').values(row), { expectRows: 1 });
  }

  distrusting(tenant: Tenant, fingerprint: Fingerprint): Write {
    return compileWrite(
      query.deleteFrom('tpm_authorities').where('tenant', '=', tenant).where('fingerprint', '=', fingerprint),
      { expectRows: 1 },
    );
  }

  listing({ tenant, keySha256, claimId, serialNumber, createdAt, createdBy }: TpmEndorsement): Write {
    const row = {
      tenant,
      key_sha256: keySha256,
      claim_id: claimId,
      serial_number: serialNumber,
      created_at: createdAt,
      created_by: createdBy,
    };
    return compileWrite(query.insertInto('tpm_endorsements').values(row), { expectRows: 1 });
  }

  binding({ tenant, deviceId, attestationKey, endorsementSha256, trust, enrolledAt }: DeviceTpm): Write {
    const change = {
      attestation_key: attestationKey,
      endorsement_sha256: endorsementSha256,
      trust,
      enrolled_at: enrolledAt,
      // Another TPM counts its own starts.
      reset_count: null,
      restart_count: null,
    };
    return compileWrite(
      query
        .insertInto('device_tpms')
        .values({ tenant, device_id: deviceId, ...change })
        .onConflict((conflict) => conflict.columns(['tenant', 'device_id']).doUpdateSet(change)),
    );
  }

  counting(tenant: Tenant, deviceId: DeviceId, { resetCount, restartCount }: TpmStarts): Write {
    return compileWrite(
      query
        .updateTable('device_tpms')
        .set({ reset_count: resetCount, restart_count: restartCount })
        .where('tenant', '=', tenant)
        .where('device_id', '=', deviceId),
    );
  }

  recording({
    tenant,
    product,
    version,
    hardwareRevision,
    counter,
    pcrs,
    recordedAt,
    recordedBy,
  }: TpmReference): Write {
    const change = { counter, pcrs: JSON.stringify(pcrs), recorded_at: recordedAt, recorded_by: recordedBy };
    return compileWrite(
      query
        .insertInto('tpm_references')
        .values({ tenant, product, version, hardware_revision: hardwareRevision, ...change })
        .onConflict((conflict) =>
          conflict.columns(['tenant', 'product', 'version', 'hardware_revision']).doUpdateSet(change),
        ),
    );
  }

  answering(tenant: Tenant, challengeSha256: Sha256Hex, expiresAt: number): Write {
    const row = { tenant, challenge_sha256: challengeSha256, expires_at: expiresAt };
    return compileWrite(query.insertInto('tpm_answers').values(row), { expectRows: 1 });
  }

  forgetting(now: number): Write {
    return compileWrite(query.deleteFrom('tpm_answers').where('expires_at', '<', now));
  }

  #device(tenant: Tenant, deviceId: DeviceId) {
    return query.selectFrom('device_tpms').selectAll().where('tenant', '=', tenant).where('device_id', '=', deviceId);
  }
}

function authorityOf({
  claim_id: claimId,
  created_at: createdAt,
  created_by: createdBy,
  ...row
}: TpmAuthorityTable): TpmAuthority {
  return { ...row, claimId, createdAt, createdBy };
}

function endorsementOf(row: TpmEndorsementTable): TpmEndorsement {
  return {
    tenant: row.tenant,
    keySha256: row.key_sha256,
    claimId: row.claim_id,
    serialNumber: row.serial_number,
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}

function referenceOf(row: TpmReferenceTable): TpmReference {
  return {
    tenant: row.tenant,
    product: row.product,
    version: row.version,
    hardwareRevision: row.hardware_revision,
    counter: row.counter,
    pcrs: JSON.parse(row.pcrs) as Readonly<Record<string, string>>,
    recordedAt: row.recorded_at,
    recordedBy: row.recorded_by,
  };
}
