import { type Clock, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  CertificateRepository,
  ClaimRepository,
  DeviceId,
  DeviceRepository,
  Fingerprint,
  ManufacturerRepository,
  Outbox,
  Page,
  PageRequest,
  RevocationReason,
  Store,
  Tenant,
  TicketEpochRepository,
  Write,
} from '../ports/index.ts';
import { actorOf } from '../principal.ts';
import { isUnrevoked } from './certificate-states.ts';
import { onFreshRead } from './fresh-read.ts';
import type { RegistryActor } from './registry.ts';
import type { Revocation } from './revocation.ts';

export interface MassRevocationPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly devices: Pick<DeviceRepository, 'find' | 'list'>;
  readonly certificates: Pick<CertificateRepository, 'ofDevice' | 'subjectsOfIssuer' | 'find' | 'changing'>;
  readonly manufacturers: Pick<ManufacturerRepository, 'find' | 'changing'>;
  readonly claims: Pick<ClaimRepository, 'find' | 'list'>;
  readonly epochs: TicketEpochRepository;
  readonly revocation: Pick<Revocation, 'device' | 'claim'>;
}

/** Whom a mass revocation reaches. */
export type RevocationTarget =
  | { readonly kind: 'devices'; readonly devices: readonly DeviceId[] }
  /** The claim, and every device it enrolled last. */
  | { readonly kind: 'claim'; readonly claim: string }
  /** Every device and claim that holds a certificate of the authority; ours stays, another maker's ends with them. */
  | { readonly kind: 'issuer'; readonly issuer: Fingerprint }
  | { readonly kind: 'tenant' };

export interface RevocationPreview {
  /** Not revoked yet. */
  readonly devices: number;
  readonly certificates: number;
  readonly claims: number;
  /** Named, and revoked or archived before. */
  readonly already: number;
  /** Named, and not in the registry. */
  readonly unknown: number;
}

export interface MassRevocationOutcome {
  readonly devices: number;
  readonly certificates: number;
  readonly claims: number;
  readonly ticketEpoch: number;
}

interface Reach {
  readonly devices: readonly DeviceId[];
  readonly claims: readonly string[];
  readonly already: number;
  readonly unknown: number;
}

const PAGE = 1000;
/** Units under way at once: enough for the writer to commit them together, few enough to keep others served. */
const AT_ONCE = 32;

/**
 * Ends many at once: a stolen batch, a leaked claim, an authority, a tenant.
 *
 * Tickets of all TLS sessions lose their worth first. Each device is a unit of its own: after a crash the same call goes
 * on where it was.
 */
export class MassRevocation {
  readonly #ports: MassRevocationPorts;

  constructor(ports: MassRevocationPorts) {
    this.#ports = ports;
  }

  /** What `run` would do now. @throws `identity.unknown_claim`, `identity.no_such_certificate` */
  async preview(principal: RegistryActor, target: RevocationTarget): Promise<RevocationPreview> {
    const { certificates } = this.#ports;
    const reach = await this.#reachOf(principal.tenant, target);
    const counts = await atOnce(reach.devices, async (device) => {
      const own = await certificates.ofDevice(principal.tenant, device);
      return own.filter(isUnrevoked).length;
    });
    return {
      devices: reach.devices.length,
      certificates: counts.reduce((sum, count) => sum + count, 0),
      claims: reach.claims.length,
      already: reach.already,
      unknown: reach.unknown,
    };
  }

  /**
   * @param expected - devices as the preview counted them
   * @throws `identity.preview_outdated` when that is not the number any more: nothing was revoked; as `preview`
   */
  async run(
    principal: RegistryActor,
    target: RevocationTarget,
    wish: { readonly reason: RevocationReason; readonly expected: number },
  ): Promise<MassRevocationOutcome> {
    const { revocation } = this.#ports;
    const { reason, expected } = wish;
    const reach = await this.#reachOf(principal.tenant, target);
    if (reach.devices.length !== expected) {
      throw new HoldfastError('identity.preview_outdated', { expected, found: reach.devices.length });
    }
    const ticketEpoch = await onFreshRead(() => this.#begin(principal, target, { reason, reach }));
    // A claim first: it must not enroll again what is revoked behind it.
    await atOnce(reach.claims, (claim) => revocation.claim(principal, claim, reason));
    const outcomes = await atOnce(reach.devices, (device) => revocation.device(principal, device, reason));
    return {
      devices: outcomes.filter(({ kind }) => kind === 'revoked').length,
      certificates: outcomes.reduce((sum, { certificates }) => sum + certificates.length, 0),
      claims: reach.claims.length,
      ticketEpoch,
    };
  }

  async #begin(
    principal: RegistryActor,
    target: RevocationTarget,
    { reason, reach }: { readonly reason: RevocationReason; readonly reach: Reach },
  ): Promise<number> {
    const { audit, epochs, outbox, store } = this.#ports;
    const { tenant } = principal;
    const from = await epochs.find(tenant);
    const epoch = from + 1;
    await store.commit([
      epochs.raising(tenant, from),
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'revocation.mass',
        subject: subjectOf(target, tenant),
        details: { kind: target.kind, reason, devices: reach.devices.length, claims: reach.claims.length, epoch },
      }),
      outbox.event({ tenant, name: 'tickets.voided', subject: tenant, data: { epoch } }),
      ...(await this.#endingManufacturer(tenant, target, reason)),
    ]);
    return epoch;
  }

  /** Before its devices: the authority must not bring new ones in behind them. */
  async #endingManufacturer(
    tenant: Tenant,
    target: RevocationTarget,
    reason: RevocationReason,
  ): Promise<readonly Write[]> {
    const { certificates, clock, manufacturers, outbox } = this.#ports;
    if (target.kind !== 'issuer') return [];
    const manufacturer = await manufacturers.find(tenant, target.issuer);
    const certificate = manufacturer && (await certificates.find(target.issuer));
    if (!manufacturer || !certificate || manufacturer.state === 'revoked') return [];
    return [
      manufacturers.changing(manufacturer, 'revoked'),
      certificates.changing(certificate, { state: 'revoked', revokedAt: clock.now(), revocationReason: reason }),
      outbox.event({ tenant, name: 'manufacturer.changed', subject: target.issuer, data: { state: 'revoked' } }),
    ];
  }

  #reachOf(tenant: Tenant, target: RevocationTarget): Promise<Reach> {
    if (target.kind === 'devices') return this.#reachOfList(tenant, target.devices, []);
    if (target.kind === 'claim') return this.#reachOfClaim(tenant, target.claim);
    return target.kind === 'issuer' ? this.#reachOfIssuer(tenant, target.issuer) : this.#reachOfTenant(tenant);
  }

  async #reachOfList(tenant: Tenant, names: readonly DeviceId[], claims: readonly string[]): Promise<Reach> {
    const records = await atOnce([...new Set(names)], async (name) => this.#ports.devices.find(tenant, name));
    const known = records.filter((record) => record !== undefined);
    const open = known.filter(({ state }) => state !== 'revoked' && state !== 'archived');
    return {
      devices: open.map(({ deviceId }) => deviceId),
      claims,
      already: known.length - open.length,
      unknown: records.length - known.length,
    };
  }

  async #reachOfClaim(tenant: Tenant, claimId: string): Promise<Reach> {
    const { claims, devices } = this.#ports;
    const claim = await claims.find(tenant, claimId);
    if (claim === undefined) throw new HoldfastError('identity.unknown_claim');
    const own = await allOf((page) => devices.list(tenant, { claim: claimId }, page));
    const names = own.map(({ deviceId }) => deviceId);
    return this.#reachOfList(tenant, names, claim.state === 'active' ? [claimId] : []);
  }

  async #reachOfIssuer(tenant: Tenant, issuer: Fingerprint): Promise<Reach> {
    const { certificates } = this.#ports;
    const authority = await certificates.find(issuer);
    const isKnown = authority?.profile === 'issuing' || authority?.profile === 'manufacturer';
    if (authority?.tenant !== tenant || !isKnown) {
      throw new HoldfastError('identity.no_such_certificate');
    }
    const subjects = (profile: 'device' | 'claim') =>
      allOf((page) => certificates.subjectsOfIssuer(tenant, { issuer, profile }, page));
    return this.#reachOfList(tenant, await subjects('device'), await this.#activeOf(tenant, await subjects('claim')));
  }

  async #reachOfTenant(tenant: Tenant): Promise<Reach> {
    const { claims, devices } = this.#ports;
    const all = await allOf((page) => devices.list(tenant, {}, page));
    const open = await allOf((page) => claims.list(tenant, page));
    return this.#reachOfList(
      tenant,
      all.map(({ deviceId }) => deviceId),
      open.filter(({ state }) => state === 'active').map(({ claimId }) => claimId),
    );
  }

  async #activeOf(tenant: Tenant, claims: readonly string[]): Promise<readonly string[]> {
    const records = await atOnce(claims, (claim) => this.#ports.claims.find(tenant, claim));
    return records.flatMap((claim) => (claim?.state === 'active' ? [claim.claimId] : []));
  }
}

async function allOf<Row>(read: (page: PageRequest) => Promise<Page<Row>>): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let after: string | undefined;
  do {
    const page = await read({ after, limit: PAGE });
    rows.push(...page.rows);
    after = page.next;
  } while (after !== undefined);
  return rows;
}

async function atOnce<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))));
  }
  return results;
}

function subjectOf(target: RevocationTarget, tenant: Tenant): string {
  if (target.kind === 'claim') return target.claim;
  return target.kind === 'issuer' ? target.issuer : tenant;
}
