import { sha256 } from '@holdfast/crypto';
import { type Clock, encodeHex, encodeUtf8, type EpochMs, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  EnrollmentRequest,
  EnrollmentRequestRepository,
  Fingerprint,
  Page,
  PageRequest,
  Sha256Hex,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf, type ClaimPrincipal } from '../principal.ts';
import type { Asking } from './enrollment-gate.ts';
import type { RegistrationFacts } from './enrollment-policy.ts';
import { LOST_ANSWER_MS } from './one-time-passwords.ts';
import type { RegistryActor } from './registry.ts';

export interface EnrollmentApprovalsPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly enrollmentRequests: EnrollmentRequestRepository;
}

/** How long a request waits, and how long what was decided holds. */
const WAIT_MS = 7 * 86_400_000;
const MAX_WAITING = 1_000;

/** Requests an operator decides on, where the product says so. */
export class EnrollmentApprovals {
  readonly #ports: EnrollmentApprovalsPorts;

  constructor(ports: EnrollmentApprovalsPorts) {
    this.#ports = ports;
  }

  /** Waiting, approved and denied ones. */
  list(tenant: Tenant, page: PageRequest): Promise<Page<EnrollmentRequest>> {
    return this.#ports.enrollmentRequests.list(tenant, page);
  }

  /** The next time the device asks it gets its certificate. @throws `identity.unknown_request`, `.request_decided` */
  approve(principal: RegistryActor, requestId: string): Promise<EnrollmentRequest> {
    return this.#decide(principal, requestId, 'approved');
  }

  /** As `approve`. */
  deny(principal: RegistryActor, requestId: string): Promise<EnrollmentRequest> {
    return this.#decide(principal, requestId, 'denied');
  }

  /**
   * Whether this key may be certified for this device now; asked after every other rule.
   *
   * @returns the approval, to be ended by the unit of work that issues; undefined where none is needed
   * @throws `identity.approval_pending`, `identity.approval_denied`, `identity.too_many_waiting`
   */
  async demand(
    asking: Asking<ClaimPrincipal>,
    facts: RegistrationFacts,
    key: Sha256Hex,
  ): Promise<EnrollmentRequest | undefined> {
    if (facts.product?.enrollment.approval !== 'operator') return undefined;
    const made = requestFor(asking, facts, key);
    const found = await this.#standing(made.requestId, facts.now);
    if (found === undefined) await this.#wait(asking, facts, made);
    if (found?.state === 'denied') throw new HoldfastError('identity.approval_denied', { request: made.requestId });
    if (found?.state !== 'approved' && found?.state !== 'issued') {
      throw new HoldfastError('identity.approval_pending', { request: made.requestId });
    }
    return found;
  }

  /** What is known of the request already. */
  find(
    asking: Asking<ClaimPrincipal>,
    facts: RegistrationFacts,
    key: Sha256Hex,
  ): Promise<EnrollmentRequest | undefined> {
    return this.#standing(requestFor(asking, facts, key).requestId, facts.now);
  }

  /** The writes of an issuance that a request is known of. */
  ending(request: EnrollmentRequest, certificate: Fingerprint): readonly Write[] {
    const expiresAt = this.#ports.clock.now() + LOST_ANSWER_MS;
    return [this.#ports.enrollmentRequests.changing(request, { state: 'issued', certificate, expiresAt })];
  }

  /** The writes of an issuance that no request is known of, where the certified key cannot tell a retry. */
  answering(
    asking: Asking<ClaimPrincipal>,
    facts: RegistrationFacts,
    key: Sha256Hex,
    certificate: Fingerprint,
  ): readonly Write[] {
    const request = requestFor(asking, facts, key);
    const expiresAt = facts.now + LOST_ANSWER_MS;
    return [this.#ports.enrollmentRequests.inserting({ ...request, state: 'issued', certificate, expiresAt })];
  }

  /** Forgets requests past their time; called on a timer. */
  async sweep(now: EpochMs): Promise<void> {
    await this.#ports.store.commit([this.#ports.enrollmentRequests.forgetting(now)]);
  }

  /** One past its time counts no more, be it swept or not: an approval is not for ever. */
  async #standing(requestId: string, now: EpochMs): Promise<EnrollmentRequest | undefined> {
    const found = await this.#ports.enrollmentRequests.find(requestId);
    if (found === undefined || found.expiresAt > now) return found;
    await this.sweep(now);
    return undefined;
  }

  /** A leaked claim may not fill the list: what waits never exceeds what the claim may still register. */
  async #wait(asking: Asking<ClaimPrincipal>, facts: RegistrationFacts, request: EnrollmentRequest): Promise<void> {
    const { store, enrollmentRequests, audit } = this.#ports;
    const { claim } = facts;
    const waiting = await enrollmentRequests.countWaiting(claim.tenant, claim.claimId);
    if (waiting.tenant >= MAX_WAITING || waiting.claim >= claim.quota - claim.used) {
      throw new HoldfastError('identity.too_many_waiting', { limit: MAX_WAITING });
    }
    await store.commit([
      enrollmentRequests.inserting(request),
      audit.entry({
        tenant: claim.tenant,
        actor: actorOf(asking.principal),
        action: 'enrollment.waiting',
        subject: request.serialNumber,
        details: {
          request: request.requestId,
          product: request.product,
          key: request.spkiSha256,
          door: asking.context.door,
          remoteAddress: request.remoteAddress,
        },
      }),
    ]);
  }

  async #decide(principal: RegistryActor, requestId: string, state: 'approved' | 'denied'): Promise<EnrollmentRequest> {
    const { clock, store, audit, enrollmentRequests } = this.#ports;
    const { tenant } = principal;
    const found = await this.#standing(requestId, clock.now());
    if (found?.tenant !== tenant || found.state === 'issued') throw new HoldfastError('identity.unknown_request');
    if (found.state === state) return found;
    if (found.state !== 'waiting') throw new HoldfastError('identity.request_decided', { state: found.state });
    const decidedBy = actorOf(principal);
    const change = { state, decidedBy, expiresAt: clock.now() + WAIT_MS };
    await store.commit([
      enrollmentRequests.changing(found, change),
      audit.entry({
        tenant,
        actor: decidedBy,
        action: `enrollment.${state}`,
        subject: found.serialNumber,
        details: { request: requestId, product: found.product, key: found.spkiSha256 },
      }),
    ]);
    return { ...found, ...change };
  }
}

/** Named by claim, device and key: over a new connection a client makes another request with the same key. */
function requestFor(
  { context }: Asking<ClaimPrincipal>,
  { claim, serialNumber, now }: RegistrationFacts,
  spkiSha256: Sha256Hex,
): EnrollmentRequest {
  const { tenant, claimId, product } = claim;
  const name = sha256(encodeUtf8([tenant, claimId, serialNumber, spkiSha256].join('\0')));
  return {
    requestId: encodeHex(name).slice(0, 32),
    tenant,
    claimId,
    product,
    serialNumber,
    spkiSha256,
    state: 'waiting',
    remoteAddress: context.remoteAddress,
    createdAt: now,
    expiresAt: now + WAIT_MS,
    decidedBy: undefined,
    certificate: undefined,
  };
}
