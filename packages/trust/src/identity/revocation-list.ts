import { issueCrl } from '@holdfast/crypto';
import { type Clock, decodeHex, type EpochMs, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import { encodeRevokedEntry, type RevocationReason } from '@holdfast/wire/x509';
import type {
  AuditLog,
  CertificateHoldRepository,
  CertificateRepository,
  CrlRepository,
  PublishedCrl,
  Store,
} from '../ports/index.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { onFreshRead } from './fresh-read.ts';
import { deltaId, shardId, shardOf, SHARDS } from './revocation-shards.ts';

export interface RevocationListPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly certificates: Pick<CertificateRepository, 'listRevoked'>;
  readonly crls: CrlRepository;
  readonly holds: Pick<CertificateHoldRepository, 'listHeld'>;
  readonly authority: Pick<CertificateAuthority, 'issuing' | 'revocationSigner' | 'tenant'>;
  /** Where a list is by its id, as certificates name it. */
  readonly crlUri?: ((list: string) => string) | undefined;
}

export interface RevocationListLimits {
  readonly lifeMs: number;
  readonly refreshMs: number;
  /** Revocations within this time share one list. */
  readonly gatherMs: number;
  /** Until a list that could not be signed or stored is tried again. */
  readonly retryMs: number;
}

const HOUR_MS = 3_600_000;
export const REVOCATION_LIST_LIMITS: RevocationListLimits = {
  lifeMs: 24 * HOUR_MS,
  refreshMs: 6 * HOUR_MS,
  gatherMs: 500,
  retryMs: 60_000,
};

interface Entry {
  readonly serialNumber: string;
  readonly at: EpochMs;
  /** When what the list says of it became so. */
  readonly changedAt: EpochMs;
  readonly reason: RevocationReason;
}

/** Lists made together. */
interface Edition {
  readonly number: number;
  readonly thisUpdate: EpochMs;
  readonly nextUpdate: EpochMs;
  readonly base: { readonly number: number; readonly thisUpdate: EpochMs };
}

type Part =
  | { readonly kind: 'whole' }
  | { readonly kind: 'delta' }
  | { readonly kind: 'shard'; readonly shard: string };

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
  #retry: Timer | undefined;
  /** What was to be published when it failed. */
  #missing: 'changed' | 'all' | undefined;
  #publishing: Promise<unknown> = Promise.resolve();

  constructor(ports: RevocationListPorts, limits: RevocationListLimits = REVOCATION_LIST_LIMITS) {
    this.#ports = ports;
    this.#limits = limits;
  }

  /** Never rejects: with a key that does not sign the lists of before stay, and `health` says when they are too old. */
  async start(): Promise<void> {
    this.#inBackground('all');
    await this.#publishing;
    this.#refresh = this.#ports.clock.every(this.#limits.refreshMs, () => this.#inBackground('all'));
  }

  async close(): Promise<void> {
    this.#refresh?.cancel();
    this.#gathering?.cancel();
    await this.#publishing;
    this.#retry?.cancel();
  }

  /** Called on every revocation event. */
  revoked(): void {
    if (this.#gathering !== undefined) return;
    this.#gathering = this.#ports.clock.after(this.#limits.gatherMs, () => {
      this.#gathering = undefined;
      this.#inBackground('changed');
    });
  }

  /** Makes up now for what failed, as when the key signs again. */
  retry(): void {
    if (this.#missing !== undefined) this.#inBackground(this.#missing);
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

  /**
   * Signs and stores the next lists: the whole one, its delta, and those parts of it that changed.
   *
   * The number rises with every one and is never used again; lists made together share it (RFC 5280 5.2.3).
   */
  publish(parts: 'changed' | 'all' = 'changed'): Promise<PublishedCrl> {
    return onFreshRead(async () => {
      const { crls, authority } = this.#ports;
      const issuer = authority.issuing.fingerprint;
      const former = await crls.find(issuer);
      const edition = this.#edition(former);
      const entries = await this.#entries(edition, former);
      const listed = entries.filter(({ reason }) => reason !== 'removeFromCRL');
      const { base, ...rest } = edition;
      const whole: PublishedCrl = { issuer, ...rest, base, der: await this.#sign(edition, listed, { kind: 'whole' }) };
      const isNew = ({ changedAt }: Entry) => changedAt >= base.thisUpdate;
      const delta = await this.#sign(edition, entries.filter(isNew), { kind: 'delta' });
      const shards = await this.#shards(edition, entries, parts === 'all' ? undefined : former);
      await this.#store(whole, [{ issuer: deltaId(issuer), ...rest, der: delta }, ...shards], listed.length);
      return whole;
    });
  }

  #edition(former: PublishedCrl | undefined): Edition {
    const now = this.#ports.clock.now();
    const thisUpdate = seconds(now);
    const number = (former?.number ?? 0) + 1;
    // Whoever has a list that is still in force can go on from it with the delta.
    const base = former?.base;
    const isBaseInForce = base !== undefined && now < base.thisUpdate + this.#limits.lifeMs;
    return {
      number,
      thisUpdate,
      nextUpdate: thisUpdate + this.#limits.lifeMs,
      base: isBaseInForce ? base : { number, thisUpdate },
    };
  }

  /** Revoked, held, and released since the base and the former list. */
  async #entries({ base, thisUpdate }: Edition, former: PublishedCrl | undefined): Promise<readonly Entry[]> {
    const { authority, certificates, holds } = this.#ports;
    const issuer = authority.issuing.fingerprint;
    const revoked = await certificates.listRevoked(issuer, thisUpdate);
    const releasedSince = Math.min(base.thisUpdate, former?.thisUpdate ?? base.thisUpdate);
    const held = await holds.listHeld(issuer, { notAfter: thisUpdate, releasedSince });
    const isRevoked = new Set(revoked.map(({ serialNumber }) => serialNumber));
    return [
      ...revoked.map(({ serialNumber, revokedAt, revocationReason }): Entry => {
        const at = revokedAt ?? thisUpdate;
        return { serialNumber, at, changedAt: at, reason: revocationReason ?? 'unspecified' };
      }),
      ...held
        .filter(({ serialNumber }) => !isRevoked.has(serialNumber))
        .map(
          ({ serialNumber, heldAt, releasedAt }): Entry => ({
            serialNumber,
            at: heldAt,
            changedAt: releasedAt ?? heldAt,
            reason: releasedAt === undefined ? 'certificateHold' : 'removeFromCRL',
          }),
        ),
    ];
  }

  /** @param former - every part unless given; else those that say something else than they did then */
  async #shards(
    edition: Edition,
    entries: readonly Entry[],
    former: PublishedCrl | undefined,
  ): Promise<readonly PublishedCrl[]> {
    const issuer = this.#ports.authority.issuing.fingerprint;
    const { base: _base, ...rest } = edition;
    const byShard = Map.groupBy(entries, ({ serialNumber }) => shardOf(serialNumber));
    const changed = SHARDS.filter((shard) => {
      if (former === undefined) return true;
      return byShard.get(shard)?.some(({ changedAt }) => changedAt >= former.thisUpdate) === true;
    });
    return Promise.all(
      changed.map(async (shard) => {
        const listed = (byShard.get(shard) ?? []).filter(({ reason }) => reason !== 'removeFromCRL');
        const der = await this.#sign(edition, listed, { kind: 'shard', shard });
        return { issuer: shardId(issuer, shard), ...rest, der };
      }),
    );
  }

  #sign(edition: Edition, entries: readonly Entry[], part: Part): Promise<Uint8Array> {
    const { authority, crlUri } = this.#ports;
    const { issuer, signer } = authority.revocationSigner;
    const own = authority.issuing.fingerprint;
    const { base, number, thisUpdate, nextUpdate } = edition;
    return issueCrl(
      {
        issuer,
        thisUpdate,
        nextUpdate,
        crlNumber: BigInt(number),
        entries: entries.map(({ serialNumber, at, reason }) =>
          encodeRevokedEntry(decodeHex(serialNumber), seconds(at), reason),
        ),
        ...(part.kind === 'delta' ? { baseCrlNumber: BigInt(base.number) } : {}),
        ...(part.kind === 'whole' && crlUri ? { freshestCrlUris: [crlUri(deltaId(own))] } : {}),
        ...(part.kind === 'shard'
          ? { shard: { uris: crlUri ? [crlUri(shardId(own, part.shard))] : [], scope: 'user' as const } }
          : {}),
      },
      signer,
    );
  }

  async #store(whole: PublishedCrl, parts: readonly PublishedCrl[], entries: number): Promise<void> {
    const { store, audit, crls, authority } = this.#ports;
    await store.commit([
      crls.publishing(whole),
      ...parts.map((part) => crls.publishingPart(part)),
      audit.entry({
        tenant: authority.tenant,
        actor: 'system',
        action: 'crl.published',
        subject: whole.issuer,
        details: { number: whole.number, entries },
      }),
    ]);
  }

  #inBackground(parts: 'changed' | 'all'): void {
    this.#publishing = this.#publishing
      .then(() => this.publish(parts))
      .then((published) => {
        if (parts === 'all' || this.#missing === 'changed') this.#missing = undefined;
        return published;
      })
      .catch(async (error: unknown) => {
        this.#missing = this.#missing === 'all' ? 'all' : parts;
        this.#retry?.cancel();
        this.#retry = this.#ports.clock.after(this.#limits.retryMs, () => this.retry());
        const health = await this.health().catch(() => 'absent' as const);
        this.#ports.log.error('revocation list not published', { code: toHoldfastError(error).code, health });
      });
  }
}

function seconds(at: number): number {
  return at - (at % 1000);
}
