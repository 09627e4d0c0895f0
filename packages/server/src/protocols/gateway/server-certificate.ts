import { type Clock, type EpochMs, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import type { ServerMaterial } from './tls-settings.ts';

/** A server certificate with the time it is good for. */
export interface ServerCertificate {
  readonly material: ServerMaterial;
  readonly notBefore: EpochMs;
  readonly notAfter: EpochMs;
}

export interface ServerCertificatePorts {
  /** Issues a fresh key and certificate. */
  readonly issue: () => Promise<ServerCertificate>;
  /** Puts it into use on every listener. */
  readonly use: (certificate: ServerCertificate) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;
/** The wall clock is looked at this often, so that one set forward does not let a certificate expire. */
const LOOK_MS = 60_000;

/** Renews a server certificate at two thirds of its life, without a restart; a failure is tried again until it works. */
export class ServerCertificateRenewal {
  readonly #ports: ServerCertificatePorts;
  readonly #look: Timer;
  #current: ServerCertificate;
  #pauseMs = FIRST_PAUSE_MS;
  #notBefore = 0;
  #renewing: Promise<void> | undefined;

  constructor(ports: ServerCertificatePorts, current: ServerCertificate) {
    this.#ports = ports;
    this.#current = current;
    this.#look = ports.clock.every(LOOK_MS, () => {
      if (this.isDue() && ports.clock.monotonicMs() >= this.#notBefore) void this.renew();
    });
  }

  get current(): ServerCertificate {
    return this.#current;
  }

  isDue(): boolean {
    const { notAfter, notBefore } = this.#current;
    return this.#ports.clock.now() >= notBefore + ((notAfter - notBefore) * 2) / 3;
  }

  /** Renews now; never rejects. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  close(): void {
    this.#look.cancel();
  }

  async #renew(): Promise<void> {
    const { clock, issue, log, use } = this.#ports;
    try {
      const next = await issue();
      use(next);
      this.#current = next;
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#notBefore = 0;
      log.info('the server certificate was renewed');
    } catch (error) {
      log.error('the server certificate could not be renewed', { code: toHoldfastError(error).code });
      this.#notBefore = clock.monotonicMs() + this.#pauseMs;
      this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }
}
