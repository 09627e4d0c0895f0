import { type Clock, type ErrorCode, HoldfastError } from '@holdfast/kernel';
import type { ProductRecord, Sha256Hex, Store } from '../ports/index.ts';
import { actorOf, type ClaimPrincipal, type DevicePrincipal } from '../principal.ts';
import type { Applicant } from './certificate-request.ts';
import type { EnrollmentContext } from './contracts.ts';
import { CLAIM_RULES, type ClaimFacts, judge, KEY_RULES, type PolicyRule } from './enrollment-policy.ts';
import type { EnrollmentRecords, KeyHistory, Refusal } from './enrollment-records.ts';
import { type Rate, RateLimit } from './rate-limit.ts';
import { RefusalPace } from './refusal-pace.ts';

export interface EnrollmentGatePorts {
  readonly clock: Clock;
  readonly store: Store;
  /** Requests of one claim. */
  readonly claimRate?: Rate;
  /** Requests of all claims of a tenant together. */
  readonly tenantRate?: Rate;
}

/** Who asks, from where. */
export interface Asking<Principal = ClaimPrincipal | DevicePrincipal> {
  readonly principal: Principal;
  readonly context: EnrollmentContext;
}

/** A production line stays below; a replayed claim does not take the whole processor. */
const CLAIM_RATE: Rate = { burst: 1000, perSecond: 200 };
const TENANT_RATE: Rate = { burst: 5000, perSecond: 1000 };
const NO_HISTORY: KeyHistory = { owner: undefined, unused: undefined, reopened: false };

/** Asks the policy tables and logs refusals, at a pace no asker sets. */
export class EnrollmentGate {
  readonly #ports: EnrollmentGatePorts;
  readonly #records: EnrollmentRecords;
  readonly #claims: RateLimit;
  readonly #tenants: RateLimit;
  readonly #pace: RefusalPace;

  constructor(ports: EnrollmentGatePorts, records: EnrollmentRecords) {
    this.#ports = ports;
    this.#records = records;
    this.#claims = new RateLimit(ports.claimRate ?? CLAIM_RATE);
    this.#tenants = new RateLimit(ports.tenantRate ?? TENANT_RATE);
    this.#pace = new RefusalPace(ports.clock);
  }

  /**
   * Slows down a claim that is replayed for ever; only the first refusal of a row is logged.
   *
   * @throws `identity.rate_limited`
   */
  async limit(asking: Asking<ClaimPrincipal>): Promise<void> {
    const { principal } = asking;
    const now = this.#ports.clock.monotonicMs();
    const verdicts = [
      this.#claims.take(`${principal.tenant} ${principal.claimId}`, now),
      this.#tenants.take(principal.tenant, now),
    ];
    if (verdicts.every((verdict) => verdict === 'taken')) return;
    if (verdicts.includes('refused-first')) await this.refuse(asking, 'identity.rate_limited', 'rate');
    throw new HoldfastError('identity.rate_limited', { rule: 'rate' });
  }

  /** The claim and its product, after the claim rules. */
  async claimFacts(asking: Asking<ClaimPrincipal>): Promise<ClaimFacts> {
    const facts = await this.#records.claimFacts(asking.principal, this.#ports.clock.now());
    await this.demand(CLAIM_RULES, facts, asking);
    return facts;
  }

  keyHistory(principal: ClaimPrincipal, applicant: Applicant | undefined): Promise<KeyHistory> {
    return applicant === undefined
      ? Promise.resolve(NO_HISTORY)
      : this.#records.keyHistory(principal, applicant.spkiSha256);
  }

  /** @returns the applicant, who by the key rules holds a key of its own */
  async demandKey(
    asking: Asking,
    given: {
      readonly applicant: Applicant | undefined;
      readonly history: KeyHistory;
      /** Undefined while the device is not known. */
      readonly ownName: string | undefined;
      /** Whose terms hold; undefined when it is gone. */
      readonly product: ProductRecord | undefined;
    },
  ): Promise<Applicant> {
    const { applicant, history, ownName, product } = given;
    const { principal, context } = asking;
    const asker =
      principal.kind === 'device'
        ? ({ kind: 'device', deviceId: principal.deviceId } as const)
        : ({
            kind: 'claim',
            claimId: principal.claimId,
            retry: history.unused !== undefined,
            reopenedOwner: history.reopened,
          } as const);
    const facts = {
      request: applicant?.request,
      ownName,
      owner: history.owner,
      asker,
      binding: applicant?.binding ?? 'absent',
      isBindable: context.channelBinding?.()?.kind === 'tls-unique',
      keyOrigin: applicant?.keyOrigin ?? 'device',
      door: context.door,
      terms: product?.enrollment,
    };
    await this.demand(KEY_RULES, facts, asking, applicant?.spkiSha256);
    if (applicant === undefined) throw new HoldfastError('identity.bad_csr');
    return applicant;
  }

  /** @throws the code of the first row that is broken, after logging it */
  async demand<Facts>(
    rules: readonly PolicyRule<Facts>[],
    facts: Facts,
    asking: Asking,
    key?: Sha256Hex,
  ): Promise<void> {
    const verdict = judge(rules, facts);
    if (verdict.kind === 'allowed') return;
    await this.#log(asking, { ...verdict, key });
    throw new HoldfastError(verdict.code, { rule: verdict.rule });
  }

  /** Logs a refusal that no table row stands for, and throws it. */
  async refuse(asking: Asking, code: ErrorCode, rule: string): Promise<never> {
    await this.#log(asking, { code, rule, audit: 'enrollment.refused', key: undefined });
    throw new HoldfastError(code, { rule });
  }

  async #log({ principal, context }: Asking, refusal: Omit<Refusal, 'pace'>): Promise<void> {
    const pace = this.#pace.take(`${principal.tenant} ${actorOf(principal)}`);
    if (pace === undefined) return;
    await this.#ports.store.commit([this.#records.refusing(principal, context, { ...refusal, pace })]);
  }
}
