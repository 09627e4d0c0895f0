import { HoldfastError } from '@holdfast/kernel';
import type { CertificateRepository, DeviceId, DeviceRepository, DeviceState, Tenant } from '../ports/index.ts';
import type { Decision } from './compiled-policy.ts';
import type { PolicyAuthority } from './policy-authority.ts';
import type { Rights, RightsLevel } from './rights.ts';

/** One thing a device may want to do. */
export interface PolicyQuestion {
  readonly verb: 'connect' | 'publish' | 'publish-retained' | 'subscribe' | 'receive';
  /** Client id, topic or filter. */
  readonly resource: string;
}

export interface Explanation {
  readonly question: PolicyQuestion;
  readonly decision: Decision;
  readonly level: RightsLevel;
  /** Names of the policies that were asked. */
  readonly policies: readonly string[];
}

export interface ExplainerPorts {
  readonly devices: Pick<DeviceRepository, 'find'>;
  readonly certificates: Pick<CertificateRepository, 'ofDevice'>;
  readonly authority: Pick<PolicyAuthority, 'rightsOf'>;
}

/** States in which the door is shut whatever the policies say. */
const SHUT: ReadonlySet<DeviceState> = new Set(['suspended', 'quarantined', 'revoked', 'archived']);

const ANSWERS: Readonly<Record<PolicyQuestion['verb'], (rights: Rights, resource: string) => Decision>> = {
  connect: (rights, clientId) => rights.connect({ clientId, persistent: false, will: undefined }),
  publish: (rights, topic) => rights.publish(topic, false),
  'publish-retained': (rights, topic) => rights.publish(topic, true),
  subscribe: (rights, filter) => {
    const [, share, inner] = /^\$share\/([^/]+)\/(.+)$/s.exec(filter) ?? [];
    return inner === undefined ? rights.subscribe(filter, undefined) : rights.subscribe(inner, share);
  },
  receive: (rights, topic) => rights.receive(topic),
};

/** Says what a device could do now and which statement decides, without it being connected. */
export class Explainer {
  readonly #ports: ExplainerPorts;

  constructor(ports: ExplainerPorts) {
    this.#ports = ports;
  }

  /**
   * @param from - Address the device would come from.
   * @throws `identity.unknown_device`; `identity.device_not_enrolled` when it never had a certificate.
   */
  async explain(
    who: { readonly tenant: Tenant; readonly deviceId: DeviceId; readonly from: string },
    questions: readonly PolicyQuestion[],
  ): Promise<readonly Explanation[]> {
    const { authority, certificates, devices } = this.#ports;
    const { deviceId, from, tenant } = who;
    const device = await devices.find(tenant, deviceId);
    if (device === undefined) throw new HoldfastError('identity.unknown_device', { deviceId });
    const all = await certificates.ofDevice(tenant, deviceId);
    const certificate = all.find(({ state }) => state === 'active') ?? all[0];
    if (certificate === undefined) throw new HoldfastError('identity.device_not_enrolled', { deviceId });
    const principal = { kind: 'device', tenant, deviceId, fingerprint: certificate.fingerprint } as const;
    const connection = { clientId: deviceId, remoteAddress: from };
    const rights = await authority.rightsOf({ kind: 'device', principal, device, certificate }, connection);
    const isShut = SHUT.has(device.state) || certificate.state !== 'active';
    return questions.map((question) => ({
      question,
      level: isShut ? 'none' : rights.level,
      policies: rights.policies,
      decision: isShut
        ? { kind: 'deny', layer: 'identity', by: undefined }
        : ANSWERS[question.verb](rights, question.resource),
    }));
  }
}
