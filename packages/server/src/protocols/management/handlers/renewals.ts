import type { Campaign, Ratchet as RatchetView } from '@holdfast/api';
import { formatRfc3339 } from '@holdfast/kernel';
import type { Campaigns, Ratchet, Registry } from '@holdfast/trust/identity';
import type { CampaignRecord, RatchetRecord } from '@holdfast/trust/ports';
import type { ManagementHandlers } from '../handler-types.ts';

export interface RenewalHandlerPorts {
  readonly campaigns: Campaigns;
  readonly ratchet: Ratchet;
  readonly registry: Registry;
}

type RenewalOperation =
  | 'campaigns.start'
  | 'campaigns.list'
  | 'campaigns.show'
  | 'campaigns.stop'
  | 'devices.ratchet'
  | 'devices.reset-ratchet';

export function renewalHandlers(ports: RenewalHandlerPorts): Pick<ManagementHandlers, RenewalOperation> {
  const { campaigns, ratchet, registry } = ports;
  const detailOf = async (campaign: CampaignRecord) => ({
    ...viewCampaign(campaign),
    ...(await campaigns.progress(campaign)),
  });
  return {
    'campaigns.start': async ({ body }, { principal }) => viewCampaign(await campaigns.begin(principal, body)),
    'campaigns.list': async (_, { principal }) => ({
      rows: (await campaigns.list(principal.tenant)).map(viewCampaign),
    }),
    'campaigns.show': async ({ campaign }, { principal }) => detailOf(await campaigns.show(principal.tenant, campaign)),
    'campaigns.stop': async ({ campaign }, { principal }) => viewCampaign(await campaigns.stop(principal, campaign)),
    'devices.ratchet': async ({ device }, { principal }) => {
      await registry.show(principal.tenant, device);
      return viewRatchet(await ratchet.standing(principal.tenant, device));
    },
    'devices.reset-ratchet': async ({ device }, { principal }) => {
      await registry.show(principal.tenant, device);
      await ratchet.reset(principal, device);
      return viewRatchet(undefined);
    },
  };
}

function viewCampaign(campaign: CampaignRecord): Campaign {
  const { product, group, endedAt } = campaign;
  return {
    id: campaign.campaignId,
    state: campaign.state,
    ...(product === undefined ? {} : { product }),
    ...(group === undefined ? {} : { group }),
    perMinute: campaign.perMinute,
    reached: campaign.reached,
    startedAt: formatRfc3339(campaign.startedAt),
    startedBy: campaign.startedBy,
    ...(endedAt === undefined ? {} : { endedAt: formatRfc3339(endedAt) }),
  };
}

function viewRatchet(record: RatchetRecord | undefined): RatchetView {
  if (record === undefined) return { takesPart: false };
  const { generation, turnedAt, remoteAddress } = record;
  return { takesPart: true, turns: generation, turnedAt: formatRfc3339(turnedAt), address: remoteAddress };
}
