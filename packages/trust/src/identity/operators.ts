import { sha256, verifyCsr } from '@holdfast/crypto';
import { type Clock, encodeHex, type EpochMs, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  CertificateRecord,
  CertificateRepository,
  Fingerprint,
  KeyOwnerRepository,
  OperatorRecord,
  OperatorRepository,
  OperatorRole,
  Page,
  PageRequest,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { PeerIdentifier } from './contracts.ts';
import { onFreshRead } from './fresh-read.ts';
import type { RegistryActor } from './registry.ts';
import type { Revocation } from './revocation.ts';

export interface OperatorsPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly operators: OperatorRepository;
  readonly certificates: Pick<CertificateRepository, 'activeOfProfile'>;
  readonly keyOwners: KeyOwnerRepository;
  readonly authority: Pick<CertificateAuthority, 'issue'>;
  readonly revocation: Pick<Revocation, 'certificate'>;
  readonly peers: PeerIdentifier;
}

export interface OperatorWish {
  readonly name: string;
  readonly role: OperatorRole;
  /** PKCS#10: the key is made where it is used. */
  readonly csrDer: Uint8Array;
  /** 90 days unless given. */
  readonly lifetimeMs?: number | undefined;
}

export interface CertifiedOperator {
  readonly operator: OperatorRecord;
  readonly certificate: CertificateRecord;
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** The audit log calls those so who come in by the socket and by the console. */
const TAKEN = new Set(['local', 'console']);
const ROLES: readonly OperatorRole[] = ['viewer', 'operator', 'security'];

/** Whether a role may do what asks for `least`; `factory` has a list of its own and suffices for nothing. */
export function roleSuffices(role: OperatorRole, least: OperatorRole): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** People and programs that manage from elsewhere, by certificate; the registry is asked on every request. */
export class Operators {
  readonly #ports: OperatorsPorts;

  constructor(ports: OperatorsPorts) {
    this.#ports = ports;
  }

  /**
   * @throws `identity.bad_operator_name`, `identity.operator_exists`, `identity.bad_csr`, `identity.weak_key`,
   * `identity.key_reuse`
   */
  async create(principal: RegistryActor, wish: OperatorWish): Promise<CertifiedOperator> {
    const { audit, clock, operators } = this.#ports;
    const { name, role } = wish;
    const { tenant } = principal;
    if (!NAME.test(name) || TAKEN.has(name)) throw new HoldfastError('identity.bad_operator_name');
    if (await operators.find(tenant, name)) throw new HoldfastError('identity.operator_exists');
    const createdBy = actorOf(principal);
    const operator: OperatorRecord = { tenant, name, role, state: 'active', createdAt: clock.now(), createdBy };
    const certificate = await this.#certify(principal, wish, [
      operators.inserting(operator),
      audit.entry({ tenant, actor: createdBy, action: 'operator.created', subject: name, details: { role } }),
    ]);
    return { operator, certificate };
  }

  /** Another certificate beside the present ones. @throws `identity.unknown_operator`, and as `create` for the key */
  async certify(principal: RegistryActor, wish: Omit<OperatorWish, 'role'>): Promise<CertifiedOperator> {
    const operator = await this.show(principal.tenant, wish.name);
    if (operator.state !== 'active') throw new HoldfastError('identity.operator_revoked');
    // The guard keeps a certificate from being made for somebody who is revoked in this moment.
    const unchanged = this.#ports.operators.changing(operator, {});
    return { operator, certificate: await this.#certify(principal, wish, [unchanged]) };
  }

  list(tenant: Tenant, page: PageRequest): Promise<Page<OperatorRecord>> {
    return this.#ports.operators.list(tenant, page);
  }

  /** @throws `identity.unknown_operator` */
  async show(tenant: Tenant, name: string): Promise<OperatorRecord> {
    const operator = await this.#ports.operators.find(tenant, name);
    if (operator === undefined) throw new HoldfastError('identity.unknown_operator');
    return operator;
  }

  /** From now on, on every request. @throws `identity.unknown_operator`, `identity.operator_revoked` */
  changeRole(principal: RegistryActor, name: string, role: OperatorRole): Promise<OperatorRecord> {
    return onFreshRead(async () => {
      const { audit, operators, store } = this.#ports;
      const { tenant } = principal;
      const operator = await this.show(tenant, name);
      if (operator.state !== 'active') throw new HoldfastError('identity.operator_revoked');
      const details = { from: operator.role, to: role };
      await store.commit([
        operators.changing(operator, { role }),
        audit.entry({ tenant, actor: actorOf(principal), action: 'operator.role_changed', subject: name, details }),
      ]);
      return { ...operator, role };
    });
  }

  /** With all certificates; the name is never given again. @throws `identity.unknown_operator` */
  async revoke(principal: RegistryActor, name: string): Promise<OperatorRecord> {
    const { certificates, revocation } = this.#ports;
    const { tenant } = principal;
    const revoked = await onFreshRead(() => this.#end(principal, name));
    const own = (await certificates.activeOfProfile(tenant, 'operator')).filter(({ subjectId }) => subjectId === name);
    for (const { fingerprint } of own) await revocation.certificate(principal, fingerprint, 'privilegeWithdrawn');
    return revoked;
  }

  /**
   * Who holds a certificate that TLS has proven possession of, and what they may do now.
   *
   * @throws `request.unauthenticated` for anybody but an operator in good standing; `store.unavailable`
   */
  async authenticate(
    fingerprint: Fingerprint,
    now: EpochMs,
  ): Promise<{ readonly principal: OperatorPrincipal; readonly role: OperatorRole }> {
    const verdict = await this.#ports.peers.identify(fingerprint, now);
    if (verdict.kind !== 'operator') throw new HoldfastError('request.unauthenticated');
    const { principal } = verdict;
    const operator = await this.#ports.operators.find(principal.tenant, principal.name);
    if (operator?.state !== 'active') throw new HoldfastError('request.unauthenticated');
    return { principal, role: operator.role };
  }

  async #end(principal: RegistryActor, name: string): Promise<OperatorRecord> {
    const { audit, operators, store } = this.#ports;
    const { tenant } = principal;
    const operator = await this.show(tenant, name);
    if (operator.state === 'revoked') return operator;
    await store.commit([
      operators.changing(operator, { state: 'revoked' }),
      audit.entry({ tenant, actor: actorOf(principal), action: 'operator.revoked', subject: name, details: {} }),
    ]);
    return { ...operator, state: 'revoked' };
  }

  async #certify(
    principal: RegistryActor,
    { name, csrDer, lifetimeMs }: Omit<OperatorWish, 'role'>,
    alongside: readonly Write[],
  ): Promise<CertificateRecord> {
    const { authority, keyOwners } = this.#ports;
    const { publicKey } = await verifyCsr(csrDer).catch((cause: unknown) => {
      throw new HoldfastError('identity.bad_csr', {}, { cause });
    });
    if (publicKey.weakness !== undefined) throw new HoldfastError('identity.weak_key', { reason: publicKey.weakness });
    const spkiSha256 = encodeHex(sha256(publicKey.spki));
    if (await keyOwners.find(spkiSha256)) throw new HoldfastError('identity.key_reuse');
    return authority.issue(
      {
        profile: 'operator',
        publicKey,
        commonName: name,
        names: [],
        ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
        state: 'active',
        subjectId: name,
        claimId: undefined,
        keyOrigin: 'device',
        door: 'local',
        actor: actorOf(principal),
      },
      ({ tenant }) => [keyOwners.inserting({ spkiSha256, tenant, kind: 'operator', id: name }), ...alongside],
    );
  }
}
