interface RatchetTable {
  tenant: string;
  device_id: string;
  value_sha256: string;
  generation: number;
  turned_at: number;
  remote_address: string;
}

export interface CampaignTable {
  tenant: string;
  campaign_id: string;
  /** A `CampaignState`. */
  state: string;
  product: string | null;
  group_name: string | null;
  per_minute: number;
  position: string;
  reached: number;
  started_at: number;
  started_by: string;
  ended_at: number | null;
}

export interface RenewalTables {
  device_ratchets: RatchetTable;
  renewal_campaigns: CampaignTable;
}
