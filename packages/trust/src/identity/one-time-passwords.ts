import { hmac, timingSafeEqual } from '@holdfast/crypto';
import { type Clock, encodeHex, encodeUtf8, type EpochMs, HoldfastError, type Random } from '@holdfast/kernel';
import type {
  AuditLog,
  ClaimRecord,
  ClaimRepository,
  OneTimePassword,
  OneTimePasswordRepository,
  Page,
  PageRequest,
  Sha256Hex,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf, type ClaimPrincipal } from '../principal.ts';
import { claimStanding } from './claims.ts';
import { checkDeviceName } from './names.ts';
import { newPassword, plainPassword } from './one-time-form.ts';
import { type Rate, RateLimit, siteOf } from './rate-limit.ts';
import { RefusalPace } from './refusal-pace.ts';
import type { RegistryActor } from './registry.ts';

export interface OneTimePasswordsPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly claims: Pick<ClaimRepository, 'find' | 'findSerial'>;
  readonly passwords: OneTimePasswordRepository;
  /** 32 octets that are not in the record store in clear: its rows alone do not let anybody test guesses. */
  readonly passwordKey: Uint8Array;
  /** Wrong attempts from one address. */
  readonly addressRate?: Rate;
  /** Wrong attempts at one user name. */
  readonly nameRate?: Rate;
}

export interface PasswordWish {
  readonly claimId: string;
  /** One password each; at most 1,000. */
  readonly serials?: readonly string[] | undefined;
  /** So many that are of the claim as a whole; at most 1,000. */
  readonly count?: number | undefined;
  /** Never after the claim's own end, which it is unless given. */
  readonly expiresAt?: EpochMs | undefined;
}

/** What is shown once. The user name is the serial number, or the id where there is none. */
export interface MintedPassword {
  readonly record: OneTimePassword;
  /** 24 of `[0-9a-z]` without i, l, o and u, in groups of six; 120 bits. */
  readonly password: string;
}

export interface Credentials {
  readonly tenant: Tenant;
  /** A serial number or a password id. */
  readonly name: string;
  readonly password: string;
  readonly remoteAddress: string;
}

export type PasswordVerdict =
  | { readonly kind: 'accepted'; readonly principal: ClaimPrincipal; readonly password: OneTimePassword }
  /** Unknown, wrong, used, expired and void look the same. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'limited' };

const MAX_AT_ONCE = 1_000;
const ADDRESS_RATE: Rate = { burst: 30, perSecond: 1 / 10 };
const NAME_RATE: Rate = { burst: 10, perSecond: 1 / 60 };
const ID_BYTES = 8;
const NOTHING = new Uint8Array(32);

/** How long after its use a password still brings the same answer to the same key. */
export const LOST_ANSWER_MS = 600_000;

/** Passwords that open a claim once, printed on a label or read out to whoever installs the device. */
export class OneTimePasswords {
  readonly #ports: OneTimePasswordsPorts;
  readonly #addresses: RateLimit;
  readonly #names: RateLimit;
  readonly #pace: RefusalPace;

  constructor(ports: OneTimePasswordsPorts) {
    this.#ports = ports;
    this.#addresses = new RateLimit(ports.addressRate ?? ADDRESS_RATE);
    this.#names = new RateLimit(ports.nameRate ?? NAME_RATE);
    this.#pace = new RefusalPace(ports.clock);
  }

  /**
   * Makes passwords of a claim; one made for the same serial number before and not used is void.
   *
   * @throws `identity.unknown_claim`; `identity.claim_revoked`, `identity.claim_expired`, `identity.claim_used_up`;
   * `identity.serial_not_listed`, `identity.serial_used`; `identity.bad_device_name`; `identity.bad_claim`
   */
  async mint(principal: RegistryActor, wish: PasswordWish): Promise<readonly MintedPassword[]> {
    const { clock, store, audit, passwords } = this.#ports;
    const now = clock.now();
    const claim = await this.#openClaim(principal.tenant, wish.claimId, now);
    const serials = await this.#serialsOf(claim, wish);
    const expiresAt = Math.min(wish.expiresAt ?? claim.expiresAt, claim.expiresAt);
    if (expiresAt <= now) throw new HoldfastError('identity.bad_claim', { field: 'expiresAt' });
    const actor = actorOf(principal);
    const minted = serials.map((serialNumber) => this.#make(claim, { serialNumber, expiresAt, now, actor }));
    await store.commit(
      minted.flatMap(({ record: { tenant, passwordId, claimId, serialNumber }, record }) => [
        ...(serialNumber === undefined ? [] : [passwords.voidingOfSerial(tenant, serialNumber)]),
        passwords.inserting(record),
        audit.entry({
          tenant,
          actor,
          action: 'password.minted',
          subject: passwordId,
          details: { claim: claimId, serial: serialNumber ?? null },
        }),
      ]),
    );
    return minted;
  }

  /** Of one claim. @throws `identity.unknown_claim` */
  async list(tenant: Tenant, claimId: string, page: PageRequest): Promise<Page<OneTimePassword>> {
    if (!(await this.#ports.claims.find(tenant, claimId))) throw new HoldfastError('identity.unknown_claim');
    return this.#ports.passwords.ofClaim(tenant, claimId, page);
  }

  /** Whether the password opens its claim now. What may be enrolled with it is for the enrollment rules. */
  async check(given: Credentials): Promise<PasswordVerdict> {
    const { clock, claims } = this.#ports;
    const at = clock.monotonicMs();
    const limits = [
      [this.#addresses, siteOf(given.remoteAddress)],
      [this.#names, `${given.tenant} ${given.name}`],
    ] as const;
    if (!limits.every(([limit, key]) => limit.take(key, at) === 'taken')) {
      await this.#logRefusal(given, 'rate');
      return { kind: 'limited' };
    }
    const password = await this.#find(given);
    const claim = password && (await claims.find(password.tenant, password.claimId));
    // Computed for unknown names too: how long it takes tells nobody which names there are.
    const verifier = this.#verifier(given.tenant, password?.passwordId ?? '', plainPassword(given.password));
    const isRight = timingSafeEqual(verifier, password?.verifier ?? NOTHING);
    if (!isRight || password === undefined || claim === undefined || !isUsable(password, clock.now())) {
      await this.#logRefusal(given, 'password');
      return { kind: 'refused' };
    }
    for (const [limit, key] of limits) limit.giveBack(key);
    const { tenant, claimId, fingerprint } = claim;
    return { kind: 'accepted', principal: { kind: 'claim', tenant, claimId, fingerprint }, password };
  }

  #find({ tenant, name }: Credentials): Promise<OneTimePassword | undefined> {
    const { passwords } = this.#ports;
    return passwords
      .find(name)
      .then((found) => (found?.tenant === tenant ? found : passwords.newestOfSerial(tenant, name)));
  }

  async #openClaim(tenant: Tenant, claimId: string, now: EpochMs): Promise<ClaimRecord> {
    const claim = await this.#ports.claims.find(tenant, claimId);
    if (!claim) throw new HoldfastError('identity.unknown_claim');
    const standing = claimStanding(claim, now);
    if (standing === 'cancelled') throw new HoldfastError('identity.claim_revoked');
    if (standing === 'expired') throw new HoldfastError('identity.claim_expired');
    if (standing === 'exhausted') throw new HoldfastError('identity.claim_used_up');
    return claim;
  }

  async #serialsOf(claim: ClaimRecord, { serials, count }: PasswordWish): Promise<readonly (string | undefined)[]> {
    const wanted = serials?.length ?? count ?? 0;
    const isOneOfTwo = (serials === undefined) !== (count === undefined);
    if (!isOneOfTwo || !Number.isInteger(wanted) || wanted < 1 || wanted > MAX_AT_ONCE) {
      throw new HoldfastError('identity.bad_claim', { field: 'serials', limit: MAX_AT_ONCE });
    }
    if (serials === undefined) return Array.from({ length: wanted }, () => undefined);
    const names = [...new Set(serials.map(checkDeviceName))];
    if (claim.scope === 'serials') {
      for (const name of names) {
        const listed = await this.#ports.claims.findSerial(claim.tenant, claim.claimId, name);
        if (listed === undefined) throw new HoldfastError('identity.serial_not_listed');
        if (listed.usedAt !== undefined) throw new HoldfastError('identity.serial_used');
      }
    }
    return names;
  }

  #make(
    { tenant, claimId }: ClaimRecord,
    given: {
      readonly serialNumber: string | undefined;
      readonly expiresAt: EpochMs;
      readonly now: EpochMs;
      readonly actor: string;
    },
  ): MintedPassword {
    const { serialNumber, expiresAt, now, actor } = given;
    const passwordId = encodeHex(this.#ports.random.bytes(ID_BYTES));
    const password = newPassword(this.#ports.random);
    return {
      password,
      record: {
        passwordId,
        tenant,
        claimId,
        serialNumber,
        verifier: this.#verifier(tenant, passwordId, plainPassword(password)),
        state: 'open',
        expiresAt,
        createdAt: now,
        createdBy: actor,
        usedAt: undefined,
        usedKey: undefined,
      },
    };
  }

  /** 120 random bits need no slow hash; the key keeps a stolen database from being one to test labels against. */
  #verifier(tenant: Tenant, passwordId: string, plain: string): Uint8Array {
    return hmac('sha256', this.#ports.passwordKey, encodeUtf8(`${tenant}\0${passwordId}\0${plain}`));
  }

  async #logRefusal({ tenant, remoteAddress }: Credentials, rule: string): Promise<void> {
    const pace = this.#pace.take(siteOf(remoteAddress));
    if (pace === undefined) return;
    await this.#ports.store.commit([
      this.#ports.audit.entry({
        tenant,
        actor: 'anyone',
        action: 'password.refused',
        subject: remoteAddress,
        details: { rule, door: 'est', ...pace },
      }),
    ]);
  }
}

/** Marks it used in the unit of work that issues the certificate; a retry of the same key writes nothing. */
export function consuming(
  passwords: Pick<OneTimePasswordRepository, 'using'>,
  password: OneTimePassword,
  use: { readonly key: Sha256Hex; readonly now: EpochMs },
): readonly Write[] {
  return password.state === 'open' ? [passwords.using(password.passwordId, use.key, use.now)] : [];
}

/** Whether the password still answers this key: an open one any, a used one the key it was used with. */
export function opensFor(password: OneTimePassword | undefined, key: Sha256Hex | undefined, now: EpochMs): boolean {
  if (password === undefined || !isUsable(password, now)) return false;
  return password.state === 'open' || (key !== undefined && password.usedKey === key);
}

function isUsable({ state, expiresAt, usedAt }: OneTimePassword, now: EpochMs): boolean {
  if (state === 'open') return now < expiresAt;
  return state === 'used' && usedAt !== undefined && now < usedAt + LOST_ANSWER_MS;
}
