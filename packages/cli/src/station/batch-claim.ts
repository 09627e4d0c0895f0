import type { ApiClient } from '@holdfast/api';
import type { BatchRow } from './batch-rows.ts';
import type { StationFolder } from './station-state.ts';

export interface ClaimOrder {
  readonly product: string;
  readonly expiresInHours: number;
  readonly pending: readonly BatchRow[];
  /** Names the list of serial numbers of the whole batch. */
  readonly listed: string;
}

/**
 * The claim of a batch: one for all its devices, so that they can be revoked together; another only when its time is
 * over or the batch has grown. Its own key is dropped here, unseen: the station enrolls by an operator's hand.
 *
 * @returns its id
 */
export async function openClaim(client: ApiClient, station: StationFolder, order: ClaimOrder): Promise<string> {
  const kept = station.claim;
  if (kept?.serials === order.listed) {
    const { state } = await client.call('claims.show', { claim: kept.id });
    // One that is used up still answers again for the keys it answered before.
    if (state === 'active' || state === 'exhausted') return kept.id;
  }
  const serials = order.pending.map(({ serial }) => serial);
  const { id } = await client.call('claims.create', {
    body: { product: order.product, serials, autoRegister: false, expiresInHours: order.expiresInHours },
  });
  station.keepClaim({ id, serials: order.listed });
  return id;
}
