import type {
  CampaignChange,
  CampaignCount,
  CampaignRecord,
  CampaignRepository,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { CampaignTable } from '../tables/renewal.ts';
import { compileWrite } from '../write.ts';

const MOST = 100;

export class SqlCampaignRepository implements CampaignRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, campaignId: string): Promise<CampaignRecord | undefined> {
    const row = await this.#reader.first(
      query
        .selectFrom('renewal_campaigns')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('campaign_id', '=', campaignId),
    );
    return row && fromRow(row);
  }

  async list(tenant: Tenant): Promise<readonly CampaignRecord[]> {
    const all = query.selectFrom('renewal_campaigns').selectAll().where('tenant', '=', tenant);
    const newest = all.orderBy('started_at', 'desc').orderBy('campaign_id').limit(MOST);
    return (await this.#reader.all(newest)).map(fromRow);
  }

  async running(tenant: Tenant): Promise<readonly CampaignRecord[]> {
    const all = query.selectFrom('renewal_campaigns').selectAll().where('tenant', '=', tenant);
    return (await this.#reader.all(all.where('state', '=', 'running').orderBy('campaign_id'))).map(fromRow);
  }

  async count({ tenant, product, group, startedAt }: CampaignRecord): Promise<CampaignCount> {
    let of = query
      .selectFrom('certificates')
      .innerJoin('devices', (join) =>
        join
          .onRef('devices.tenant', '=', 'certificates.tenant')
          .onRef('devices.device_id', '=', 'certificates.subject_id'),
      )
      .where('certificates.tenant', '=', tenant)
      .where('certificates.profile', '=', 'device')
      .where('certificates.state', '=', 'active')
      .where('devices.state', '=', 'active');
    if (product !== undefined) of = of.where('devices.product', '=', product);
    if (group !== undefined) {
      of = of.where('devices.device_id', 'in', (from) =>
        from
          .selectFrom('device_groups')
          .select('device_groups.device_id')
          .where('device_groups.tenant', '=', tenant)
          .where('group_name', '=', group),
      );
    }
    const devices = await this.#reader.first(of.select(({ fn }) => fn.countAll<number>().as('count')));
    const renewed = await this.#reader.first(
      of.where('certificates.issued_at', '>=', startedAt).select(({ fn }) => fn.countAll<number>().as('count')),
    );
    return { devices: devices?.count ?? 0, renewed: renewed?.count ?? 0 };
  }

  inserting(campaign: CampaignRecord): Write {
    return compileWrite(query.insertInto('renewal_campaigns').values(toRow(campaign)), { expectRows: 1 });
  }

  changing(from: CampaignRecord, change: CampaignChange): Write {
    const { state, position, reached, ended_at } = toRow({ ...from, ...change });
    return compileWrite(
      query
        .updateTable('renewal_campaigns')
        .set({ state, position, reached, ended_at })
        .where('tenant', '=', from.tenant)
        .where('campaign_id', '=', from.campaignId)
        .where('state', '=', from.state)
        .where('position', '=', from.position),
      { expectRows: 1 },
    );
  }
}

function toRow(campaign: CampaignRecord): CampaignTable {
  return {
    tenant: campaign.tenant,
    campaign_id: campaign.campaignId,
    state: campaign.state,
    product: campaign.product ?? null,
    group_name: campaign.group ?? null,
    per_minute: campaign.perMinute,
    position: campaign.position,
    reached: campaign.reached,
    started_at: campaign.startedAt,
    started_by: campaign.startedBy,
    ended_at: campaign.endedAt ?? null,
  };
}

function fromRow(row: CampaignTable): CampaignRecord {
  return {
    tenant: row.tenant,
    campaignId: row.campaign_id,
    state: row.state as CampaignRecord['state'],
    product: row.product ?? undefined,
    group: row.group_name ?? undefined,
    perMinute: row.per_minute,
    position: row.position,
    reached: row.reached,
    startedAt: row.started_at,
    startedBy: row.started_by,
    endedAt: row.ended_at ?? undefined,
  };
}
