import { type Clock, type EpochMs, type Log, toHoldfastError } from '@holdfast/kernel';
import type { CertificateRepository, DeviceId, Tenant } from '../ports/index.ts';

export interface RenewalWatchPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly certificates: Pick<CertificateRepository, 'inUse'>;
}

/** Devices whose certificate should have been renewed by now. */
export interface OverdueRenewals {
  readonly devices: number;
  /** The one whose certificate ends first. */
  readonly first: { readonly deviceId: DeviceId; readonly notAfter: EpochMs } | undefined;
}

const ROUND_MS = 3_600_000;
const PAGE = 1000;
const PAUSE_MS = 20;
/** Our devices renew between two thirds and three quarters of a life; whoever has not by then is stuck. */
const OVERDUE = 5 / 6;

/** Looks for devices that stopped renewing while they still can. */
export class RenewalWatch {
  readonly #ports: RenewalWatchPorts;
  #closed = false;

  constructor(ports: RenewalWatchPorts) {
    this.#ports = ports;
  }

  start(tenant: Tenant, tell: (overdue: OverdueRenewals) => void): { close(): void } {
    const timer = this.#ports.clock.every(ROUND_MS, () => void this.#report(tenant, tell));
    void this.#report(tenant, tell);
    return {
      close: () => {
        this.#closed = true;
        timer.cancel();
      },
    };
  }

  async #report(tenant: Tenant, tell: (overdue: OverdueRenewals) => void): Promise<void> {
    try {
      const overdue = await this.look(tenant);
      if (!this.#closed) tell(overdue);
    } catch (error) {
      this.#ports.log.warn('renewals could not be looked at', { code: toHoldfastError(error).code });
    }
  }

  /** Every certificate in use, a page at a time: others are served between. */
  async look(tenant: Tenant): Promise<OverdueRenewals> {
    const { certificates, clock } = this.#ports;
    const now = clock.now();
    let devices = 0;
    let first: OverdueRenewals['first'];
    let after: string | undefined;
    while (!this.#closed) {
      const page = await certificates.inUse(tenant, { after, limit: PAGE });
      for (const { deviceId, notBefore, notAfter } of page.rows) {
        if (now < notBefore + (notAfter - notBefore) * OVERDUE) continue;
        devices++;
        if (first === undefined || notAfter < first.notAfter) first = { deviceId, notAfter };
      }
      after = page.next;
      if (after === undefined) break;
      await this.#pause();
    }
    return { devices, first };
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ports.clock.after(PAUSE_MS, resolve);
    return promise;
  }
}
