import type { ClaimPrincipal, DevicePrincipal } from '@holdfast/trust/principal';
import type { ReservedAsker } from '../mqtt/ports.ts';

/** One publish to a reserved topic, its publisher known. */
interface ReservedRequest<Asked> {
  readonly asker: ReservedAsker;
  readonly asked: Asked;
  readonly payload: Uint8Array;
}

export interface DeviceRequest<Asked> extends ReservedRequest<Asked> {
  readonly device: DevicePrincipal;
}

export interface ClaimRequest<Asked> extends ReservedRequest<Asked> {
  readonly claim: ClaimPrincipal;
  readonly remoteAddress: string;
}
