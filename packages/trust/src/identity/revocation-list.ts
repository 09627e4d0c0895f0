import { issueCrl } from '@holdfast/crypto';
import { type Clock, decodeHex, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import { encodeRevokedEntry } from '@holdfast/wire/x509';
import type { AuditLog, CertificateRepository, CrlRepository, PublishedCrl, Store } from '../ports/index.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { onFreshRead } from './fresh-read.ts';

export interface RevocationListPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly certificates: Pick<CertificateRepository, 'listRevoked'>;
  readonly crls: CrlRepository;
  readonly authority: Pick<CertificateAuthority, 'issuing' | 'revocationSigner' | 'tenant'>;
}

export interface RevocationListLimits {
  readonly lifeMs: number;
  readonly refreshMs: number;
  /** Revocations within this time share one list. */
  readonly gatherMs: number;
}

const HOUR_MS = 3_600_000;
export const REVOCATION_LIST_LIMITS: RevocationListLimits = {
  lifeMs: 24 * HOUR_MS,
  refreshMs: 6 * HOUR_MS,
  gatherMs: 500,
};

export type RevocationListHealth = 'fresh' | 'half-life-passed' | 'expired' | 'absent';

/**
 * Publishes the issuing authority's revocation list for third parties (RFC 5280 5).
 *
 * Our own doors ask the registry, so that a list that is late or stale locks nobody out.
 */
export class RevocationList {
  readonly #ports: RevocationListPorts;
  readonly #limits: RevocationListLimits;
  #refresh: Timer | undefined;
  #gathering: Timer | undefined;
  #publishing: Promise<unknown> = Promise.resolve();

  constructor(ports: RevocationListPorts, limits: RevocationListLimits = REVOCATION_LIST_LIMITS) {
    this.#ports = ports;
    this.#limits = limits;
  }

  async start(): Promise<void> {
    await this.publish();
    this.#refresh = this.#ports.clock.every(this.#limits.refreshMs, () => this.#inBackground());
  }

  async close(): Promise<void> {
    this.#refresh?.cancel();
    this.#gathering?.cancel();
    await this.#publishing;
  }

  /** Called on every revocation event. */
  revoked(): void {
    if (this.#gathering !== undefined) return;
    this.#gathering = this.#ports.clock.after(this.#limits.gatherMs, () => {
      this.#gathering = undefined;
      this.#inBackground();
    });
  }

  current(): Promise<PublishedCrl | undefined> {
    return this.#ports.crls.find(this.#ports.authority.issuing.fingerprint);
  }

  async health(): Promise<RevocationListHealth> {
    const crl = await this.current();
    if (crl === undefined) return 'absent';
    const now = this.#ports.clock.now();
    if (now >= crl.nextUpdate) return 'expired';
    return now - crl.thisUpdate > (crl.nextUpdate - crl.thisUpdate) / 2 ? 'half-life-passed' : 'fresh';
  }

  /** Signs and stores the next list; the number rises with every one and is never used again. */
  publish(): Promise<PublishedCrl> {
    return onFreshRead(async () => {
      const { clock, store, audit, certificates, crls, authority } = this.#ports;
      const issuer = authority.issuing.fingerprint;
      const thisUpdate = clock.now() - (clock.now() % 1000);
      const nextUpdate = thisUpdate + this.#limits.lifeMs;
      const revoked = await certificates.listRevoked(issuer, thisUpdate);
      const number = ((await crls.find(issuer))?.number ?? 0) + 1;
      const { issuer: certificate, signer } = authority.revocationSigner;
      const der = await issueCrl(
        {
          issuer: certificate,
          thisUpdate,
          nextUpdate,
          crlNumber: BigInt(number),
          entries: revoked.map(({ serialNumber, revokedAt, revocationReason }) =>
            encodeRevokedEntry(
              decodeHex(serialNumber),
              seconds(revokedAt ?? thisUpdate),
              revocationReason ?? 'unspecified',
            ),
          ),
        },
        signer,
      );
      const crl: PublishedCrl = { issuer, number, thisUpdate, nextUpdate, der };
      await store.commit([
        crls.publishing(crl),
        audit.entry({
          tenant: authority.tenant,
          actor: 'system',
          action: 'crl.published',
          subject: issuer,
          details: { number, entries: revoked.length },
        }),
      ]);
      return crl;
    });
  }

  #inBackground(): void {
    this.#publishing = this.#publishing
      .then(() => this.publish())
      .catch(async (error: unknown) => {
        const health = await this.health().catch(() => 'absent' as const);
        this.#ports.log.error('revocation list not published', { code: toHoldfastError(error).code, health });
      });
  }
}

function seconds(at: number): number {
  return at - (at % 1000);
}
