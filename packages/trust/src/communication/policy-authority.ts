import { type Clock, type Log, toHoldfastError } from '@holdfast/kernel';
import type { PeerVerdict } from '../identity/index.ts';
import type { PolicyRecord, PolicyRepository, ProductRepository, Tenant } from '../ports/index.ts';
import type { DevicePosture, PostureReader } from '../posture/index.ts';
import {
  BUILTIN_PREFIX,
  CLAIM_POLICY,
  DEVICE_POLICY,
  DENY_ALL_POLICY,
  EMPTY_POLICY,
  PROOF_POLICY,
  RESTRICTED_POLICY,
} from './builtin-policies.ts';
import { certificateFacts } from './certificate-facts.ts';
import { CompiledPolicy, type NamedPolicy } from './compiled-policy.ts';
import type { CertificateFacts, PolicyContext } from './policy-context.ts';
import { type PolicyDocument, parsePolicyDocument } from './policy-document.ts';
import type { ArnScope } from './resource.ts';
import { Rights, type RightsLevel } from './rights.ts';

export type AdmittedPeer = Extract<PeerVerdict, { kind: 'device' | 'claim' }>;

/** The part of a connection that policies can speak of. */
export interface ConnectionFacts {
  /** Undefined where the protocol has none. */
  readonly clientId: string | undefined;
  readonly remoteAddress: string;
}

export interface PolicyAuthorityPorts {
  readonly policies: Pick<PolicyRepository, 'find' | 'reaching'>;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly posture: Pick<PostureReader, 'describe'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly scopeOf: (tenant: Tenant) => ArnScope;
}

interface Granted {
  readonly names: readonly string[];
  readonly policies: readonly NamedPolicy[];
}

const BUILTIN = new Map(
  [DEVICE_POLICY, PROOF_POLICY, CLAIM_POLICY, RESTRICTED_POLICY].map((each) => [each.name, each]),
);
/** Parsed documents kept; a fleet shares a handful. */
const MAX_PARSED = 1_000;

/**
 * Says what a peer may do: the policies of its product, groups and itself (or the built-in one where none is
 * attached), cut down to what its posture leaves.
 */
export class PolicyAuthority {
  readonly #ports: PolicyAuthorityPorts;
  readonly #parsed = new Map<string, PolicyDocument>();

  constructor(ports: PolicyAuthorityPorts) {
    this.#ports = ports;
  }

  /** @throws `store.unavailable` when the policies cannot be read: the caller refuses the peer. */
  async rightsOf(peer: AdmittedPeer, connection: ConnectionFacts): Promise<Rights> {
    if (peer.kind === 'claim') {
      const context = contextOf(peer, connection, undefined);
      return this.#rights('full', { names: [CLAIM_POLICY.name], policies: [CLAIM_POLICY] }, undefined, context);
    }
    const { tenant, deviceId } = peer.principal;
    const { policies, posture, products } = this.#ports;
    const [product, attached] = await Promise.all([
      products.find(tenant, peer.device.product),
      policies.reaching(tenant, deviceId),
    ]);
    const [standing, granted] = await Promise.all([
      posture.describe(peer.device, product),
      this.#grantedTo(tenant, [...(product?.policies ?? []), ...attached]),
    ]);
    const context = contextOf(peer, connection, standing);
    if (standing.rights === 'none')
      return this.#rights('none', { ...granted, policies: [EMPTY_POLICY] }, undefined, context);
    if (standing.rights === 'full') return this.#rights('full', granted, undefined, context);
    const names = product?.restrictedPolicies ?? [];
    const boundary = names.length === 0 ? [RESTRICTED_POLICY] : [...(await this.#load(tenant, names)), PROOF_POLICY];
    return this.#rights('restricted', { ...granted, names: [...granted.names, ...names] }, boundary, context);
  }

  #rights(
    level: RightsLevel,
    granted: Granted,
    boundary: readonly NamedPolicy[] | undefined,
    context: PolicyContext,
  ): Rights {
    const compiled = new CompiledPolicy(granted.policies, boundary, context);
    return new Rights(level, compiled, this.#ports.clock, granted.names);
  }

  async #grantedTo(tenant: Tenant, all: readonly string[]): Promise<Granted> {
    const names = [...new Set(all)];
    if (names.length === 0) return { names: [DEVICE_POLICY.name], policies: [DEVICE_POLICY] };
    return { names, policies: [...(await this.#load(tenant, names)), PROOF_POLICY] };
  }

  /** All or nothing: a policy that cannot be read may be the one with the Deny (CVE-2018-12550, CVE-2017-7652). */
  async #load(tenant: Tenant, names: readonly string[]): Promise<readonly NamedPolicy[]> {
    const loaded: NamedPolicy[] = [];
    for (const name of names) {
      const policy = BUILTIN.get(name) ?? (await this.#read(tenant, name));
      if (policy === undefined) return [DENY_ALL_POLICY];
      loaded.push(policy);
    }
    return loaded;
  }

  async #read(tenant: Tenant, name: string): Promise<NamedPolicy | undefined> {
    const { log, policies } = this.#ports;
    const record = name.startsWith(BUILTIN_PREFIX) ? undefined : await policies.find(tenant, name);
    if (record === undefined) {
      log.error('an attached policy is missing; its devices get no rights', { tenant, policy: name });
      return undefined;
    }
    try {
      return { name, document: this.#parse(record) };
    } catch (error) {
      const { code } = toHoldfastError(error);
      log.error('an attached policy cannot be read; its devices get no rights', { tenant, policy: name, code });
      return undefined;
    }
  }

  #parse(record: PolicyRecord): PolicyDocument {
    const key = JSON.stringify([record.tenant, record.name, record.version, record.createdAt]);
    const known = this.#parsed.get(key);
    if (known !== undefined) return known;
    const document = parsePolicyDocument(record.document, this.#ports.scopeOf(record.tenant));
    if (this.#parsed.size >= MAX_PARSED) this.#parsed.clear();
    this.#parsed.set(key, document);
    return document;
  }
}

function contextOf(
  peer: AdmittedPeer,
  connection: ConnectionFacts,
  standing: DevicePosture | undefined,
): PolicyContext {
  const device = peer.kind === 'device' ? peer.device : undefined;
  const { der } = peer.certificate;
  let facts: CertificateFacts | undefined;
  return {
    clientId: connection.clientId,
    sourceIp: connection.remoteAddress,
    thing:
      device === undefined
        ? undefined
        : { name: device.deviceId, typeName: device.product, attributes: device.attributes },
    // Few policies ask about the certificate, and reading one costs as much as a query.
    get certificate() {
      return (facts ??= certificateFacts(der));
    },
    posture: standing?.posture,
    firmwareVersion: standing?.evidence?.version,
    securityCounter: standing?.evidence?.counter,
  };
}
