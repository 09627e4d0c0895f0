import { type Clock, type Log, toHoldfastError } from '@holdfast/kernel';
import type { PeerVerdict } from '../identity/index.ts';
import type { DeviceRepository, PolicyRecord, PolicyRepository, ProductRepository, Tenant } from '../ports/index.ts';
import type { DevicePosture, PostureReader } from '../posture/index.ts';
import {
  BUILTIN_PREFIX,
  CLAIM_POLICY,
  DEVICE_POLICY,
  EMPTY_POLICY,
  PROOF_POLICY,
  RESTRICTED_POLICY,
} from './builtin-policies.ts';
import { certificateFacts } from './certificate-facts.ts';
import { CompiledPolicy, type NamedPolicy } from './compiled-policy.ts';
import type { PolicyContext } from './policy-context.ts';
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
  readonly policies: Pick<PolicyRepository, 'find' | 'attachedTo'>;
  readonly devices: Pick<DeviceRepository, 'groupsOf'>;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly posture: PostureReader;
  readonly clock: Clock;
  readonly log: Log;
  readonly scopeOf: (tenant: Tenant) => ArnScope;
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
    if (peer.kind === 'claim') return this.#claimRights(peer, connection);
    const { clock, posture, products } = this.#ports;
    const standing = await posture.postureOf(peer.principal);
    const context = contextOf(peer, connection, standing);
    if (standing.rights === 'none') return this.#rights('none', [EMPTY_POLICY], undefined, context);
    const product = await products.find(peer.principal.tenant, peer.device.product);
    const granted = await this.#grantedTo(peer, product?.policies ?? []);
    if (standing.rights === 'full') return new Rights('full', new CompiledPolicy(granted, undefined, context), clock);
    const names = product?.restrictedPolicies ?? [];
    const boundary = names.length === 0 ? [RESTRICTED_POLICY] : await this.#load(peer.principal.tenant, names);
    return this.#rights('restricted', granted, boundary, context);
  }

  #claimRights(peer: AdmittedPeer, connection: ConnectionFacts): Rights {
    return this.#rights('full', [CLAIM_POLICY], undefined, contextOf(peer, connection, undefined));
  }

  #rights(
    level: RightsLevel,
    granted: readonly NamedPolicy[],
    boundary: readonly NamedPolicy[] | undefined,
    context: PolicyContext,
  ): Rights {
    return new Rights(level, new CompiledPolicy(granted, boundary, context), this.#ports.clock);
  }

  async #grantedTo(
    peer: Extract<AdmittedPeer, { kind: 'device' }>,
    ofProduct: readonly string[],
  ): Promise<readonly NamedPolicy[]> {
    const { devices, policies } = this.#ports;
    const { tenant, deviceId } = peer.principal;
    const groups = await devices.groupsOf(tenant, deviceId);
    const attached = await policies.attachedTo(tenant, [
      { kind: 'device', id: deviceId },
      ...groups.map((id) => ({ kind: 'group', id }) as const),
    ]);
    const names = [...new Set([...ofProduct, ...attached])];
    if (names.length === 0) return [DEVICE_POLICY];
    return [...(await this.#load(tenant, names)), PROOF_POLICY];
  }

  /** All or nothing: a policy that cannot be read may be the one with the Deny (CVE-2018-12550, CVE-2017-7652). */
  async #load(tenant: Tenant, names: readonly string[]): Promise<readonly NamedPolicy[]> {
    const loaded: NamedPolicy[] = [];
    for (const name of names) {
      const policy = BUILTIN.get(name) ?? (await this.#read(tenant, name));
      if (policy === undefined) return [EMPTY_POLICY];
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
  return {
    clientId: connection.clientId,
    sourceIp: connection.remoteAddress,
    thing:
      device === undefined
        ? undefined
        : { name: device.deviceId, typeName: device.product, attributes: device.attributes },
    certificate: certificateFacts(peer.certificate.der),
    posture: standing?.posture,
    firmwareVersion: standing?.evidence?.version,
    securityCounter: standing?.evidence?.counter,
  };
}
