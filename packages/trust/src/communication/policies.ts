import { type Clock, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  DeviceRepository,
  Outbox,
  Page,
  PageRequest,
  PolicyRecord,
  PolicyRepository,
  PolicyTarget,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';
import { BUILTIN_PREFIX } from './builtin-policies.ts';
import { parsePolicyDocument } from './policy-document.ts';
import type { ArnScope } from './resource.ts';

export interface PoliciesPorts {
  readonly policies: PolicyRepository;
  readonly devices: Pick<DeviceRepository, 'find'>;
  readonly store: Store;
  readonly outbox: Outbox;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly scopeOf: (tenant: Tenant) => ArnScope;
}

const NAME = /^[\w+=,.@-]{1,128}$/;
/** AWS allows ten policies a principal; a longer list is a sign of policies made per device. */
const MAX_ATTACHED = 10;

/** Keeps the policies operators write; each change reaches live sessions through `policy.changed`. */
export class Policies {
  readonly #ports: PoliciesPorts;

  constructor(ports: PoliciesPorts) {
    this.#ports = ports;
  }

  /** @throws `communication.policy_unknown` */
  async show(tenant: Tenant, name: string): Promise<PolicyRecord> {
    const policy = await this.#ports.policies.find(tenant, name);
    if (policy === undefined) throw new HoldfastError('communication.policy_unknown');
    return policy;
  }

  list(tenant: Tenant, page: PageRequest): Promise<Page<PolicyRecord>> {
    return this.#ports.policies.list(tenant, page);
  }

  /**
   * Creates a policy, or replaces its document.
   *
   * @throws `communication.policy_invalid` when the name or the document cannot be enforced; `store.conflict` when
   * somebody else changed it meanwhile.
   */
  async put(principal: OperatorPrincipal, name: string, document: string): Promise<PolicyRecord> {
    const { clock, policies, scopeOf } = this.#ports;
    if (!NAME.test(name) || name.startsWith(BUILTIN_PREFIX)) {
      throw new HoldfastError('communication.policy_invalid', { field: 'name', reason: 'form' });
    }
    parsePolicyDocument(document, scopeOf(principal.tenant));
    const now = clock.now();
    const from = await policies.find(principal.tenant, name);
    const next: PolicyRecord = {
      tenant: principal.tenant,
      name,
      document,
      version: (from?.version ?? 0) + 1,
      createdAt: from?.createdAt ?? now,
      changedAt: now,
    };
    const write = from === undefined ? policies.inserting(next) : policies.changing(from, next);
    await this.#commit(principal, name, from === undefined ? 'policy.created' : 'policy.changed', write, {
      version: next.version,
    });
    return next;
  }

  /** @throws `communication.policy_unknown`; `communication.policy_in_use` while it is attached to a group or device. */
  async remove(principal: OperatorPrincipal, name: string): Promise<void> {
    const policy = await this.show(principal.tenant, name);
    const targets = await this.#ports.policies.targetsOf(principal.tenant, name, 1);
    if (targets.length > 0) throw new HoldfastError('communication.policy_in_use');
    await this.#commit(principal, name, 'policy.removed', this.#ports.policies.removing(policy), {});
  }

  /** @throws `communication.policy_unknown`, `identity.unknown_device`, `communication.too_many_policies` */
  async attach(principal: OperatorPrincipal, name: string, target: PolicyTarget): Promise<void> {
    const { devices, policies } = this.#ports;
    const { tenant } = principal;
    await this.show(tenant, name);
    if (target.kind === 'device' && (await devices.find(tenant, target.id)) === undefined) {
      throw new HoldfastError('identity.unknown_device');
    }
    const attached = await policies.attachedTo(tenant, target);
    if (!attached.includes(name) && attached.length >= MAX_ATTACHED) {
      throw new HoldfastError('communication.too_many_policies', { limit: MAX_ATTACHED });
    }
    await this.#commit(
      principal,
      name,
      'policy.attached',
      policies.attaching(tenant, name, target),
      nameTarget(target),
    );
  }

  async detach(principal: OperatorPrincipal, name: string, target: PolicyTarget): Promise<void> {
    const write = this.#ports.policies.detaching(principal.tenant, name, target);
    await this.#commit(principal, name, 'policy.detached', write, nameTarget(target));
  }

  async #commit(
    principal: OperatorPrincipal,
    name: string,
    action: string,
    write: Write,
    details: Readonly<Record<string, string | number>>,
  ): Promise<void> {
    const { audit, outbox, store } = this.#ports;
    const { tenant } = principal;
    await store.commit([
      write,
      audit.entry({ tenant, actor: actorOf(principal), action, subject: name, details }),
      outbox.event({ tenant, name: 'policy.changed', subject: name, data: details }),
    ]);
  }
}

function nameTarget(target: PolicyTarget): Readonly<Record<string, string>> {
  return { targetKind: target.kind, targetId: target.id };
}
