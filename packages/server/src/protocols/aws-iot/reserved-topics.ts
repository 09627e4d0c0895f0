import { type Clock, HoldfastError } from '@holdfast/kernel';
import type { Shadows } from '@holdfast/trust/communication';
import type { EnrollmentDoor, Ratchet } from '@holdfast/trust/identity';
import type { AttestationDoor } from '@holdfast/trust/posture';
import type { ClaimPrincipal, DevicePrincipal } from '@holdfast/trust/principal';
import type { DeviceJobs, FileStreams } from '@holdfast/trust/update';
import { type AwsIotRequest, encodeJobsMessage, encodeStreamRejection, parseAwsIotTopic } from '@holdfast/wire/aws-iot';
import { type HealthReport, parseHoldfastTopic } from '@holdfast/wire/holdfast';
import type { ReservedAsker, ReservedTopics } from '../mqtt/ports.ts';
import { type HoldfastAsked, HoldfastTopics } from './holdfast-topics.ts';
import { secondsOf } from './job-words.ts';
import type { JobsAsked } from './job-answers.ts';
import { JobsTopics } from './jobs-topics.ts';
import { type ProvisioningAsked, ProvisioningTopics, refuseProvisioning } from './provisioning-topics.ts';
import { RequestRate } from './request-rate.ts';
import { isShadowRequest, type ShadowsAsked, ShadowTopics } from './shadow-topics.ts';
import { type StreamsAsked, StreamsTopics } from './streams-topics.ts';
import type { TopicPublisher } from './topic-publisher.ts';

/** The publisher as the gateway admitted it. */
interface AskingPeer {
  readonly principal: DevicePrincipal | ClaimPrincipal;
  readonly remoteAddress: string;
}

export interface AwsIotTopicsPorts {
  readonly clock: Clock;
  readonly enrollment: EnrollmentDoor;
  readonly attestation: AttestationDoor;
  readonly ratchet: Pick<Ratchet, 'offer' | 'turn'>;
  readonly mustRenew: (device: DevicePrincipal) => Promise<boolean>;
  readonly jobs: DeviceJobs;
  readonly streams: FileStreams;
  readonly shadows: Shadows;
  readonly publisher: Pick<TopicPublisher, 'publish'>;
  /** Undefined when the connection is gone. */
  readonly peerOf: (asker: ReservedAsker) => AskingPeer | undefined;
  readonly renewRights: (asker: ReservedAsker) => Promise<void>;
  readonly onHealth: (device: DevicePrincipal, report: HealthReport) => void;
}

/**
 * What one connection may ask, by family of topics. A claim enrolls once. Stock downloaders ask block by block and
 * hear no refusal, so streams are slowed down before they are refused.
 */
const REQUEST_LIMITS = {
  provisioning: { burst: 10, perSecond: 1 },
  jobs: { burst: 100, perSecond: 20 },
  streams: { burst: 400, perSecond: 200, patienceMs: 5000 },
  shadows: { burst: 40, perSecond: 20 },
  holdfast: { burst: 30, perSecond: 5 },
} as const;

/** A topic in a family's namespace that names none of its requests. */
const UNKNOWN_REQUEST = /^\$aws\/things\/([^/]+)\/(jobs|streams)\/.+$/;

/** Everything a device or a claim may publish under `$aws/` and `$holdfast/`. */
export class AwsIotTopics implements ReservedTopics {
  readonly #ports: AwsIotTopicsPorts;
  readonly #provisioning: ProvisioningTopics;
  readonly #jobs: JobsTopics;
  readonly #streams: StreamsTopics;
  readonly #shadows: ShadowTopics;
  readonly #holdfast: HoldfastTopics;

  constructor(ports: AwsIotTopicsPorts) {
    const { clock } = ports;
    const rate = (family: keyof typeof REQUEST_LIMITS) => new RequestRate(REQUEST_LIMITS[family], clock);
    this.#ports = ports;
    this.#provisioning = new ProvisioningTopics({ ...ports, rate: rate('provisioning') });
    this.#jobs = new JobsTopics({ ...ports, rate: rate('jobs') });
    this.#streams = new StreamsTopics({ ...ports, rate: rate('streams') });
    this.#shadows = new ShadowTopics({ ...ports, rate: rate('shadows') });
    this.#holdfast = new HoldfastTopics({ ...ports, rate: rate('holdfast') });
  }

  claims(topic: string): boolean {
    const known = parseAwsIotTopic(topic) ?? parseHoldfastTopic(topic);
    return known !== undefined || UNKNOWN_REQUEST.test(topic);
  }

  /**
   * @throws `update.foreign_thing` for the topics of another device, `communication.not_allowed` for what is not a
   * claim's: the core refuses the publish.
   */
  publish(asker: ReservedAsker, topic: string, payload: Uint8Array): Promise<void> {
    return this.#publish({ asker, topic, payload });
  }

  async #publish(message: { asker: ReservedAsker; topic: string; payload: Uint8Array }): Promise<void> {
    const { asker, topic, payload } = message;
    const peer = this.#ports.peerOf(asker);
    if (peer === undefined) return;
    const { principal, remoteAddress } = peer;
    const aws = parseAwsIotTopic(topic);
    if (aws !== undefined && isProvisioning(aws)) {
      if (principal.kind !== 'claim') return refuseProvisioning(asker, aws);
      return this.#provisioning.answer({ asker, asked: aws, payload, claim: principal, remoteAddress });
    }
    const asked = aws ?? parseHoldfastTopic(topic);
    const thing = asked?.thing ?? UNKNOWN_REQUEST.exec(topic)?.[1];
    const device = ownerOf(asker, topic, { principal, thing });
    if (asked === undefined) return this.#refuseUnknown(asker, topic);
    return this.#answerDevice({ asker, payload, device, remoteAddress }, asked);
  }

  #answerDevice(
    from: {
      readonly asker: ReservedAsker;
      readonly payload: Uint8Array;
      readonly device: DevicePrincipal;
      readonly remoteAddress: string;
    },
    asked: JobsAsked | StreamsAsked | ShadowsAsked | HoldfastAsked,
  ): Promise<void> {
    if (!('kind' in asked)) return this.#holdfast.answer({ ...from, asked });
    if (asked.kind === 'stream-describe' || asked.kind === 'stream-get')
      return this.#streams.answer({ ...from, asked });
    if (isShadowRequest(asked)) return this.#shadows.answer({ ...from, asked });
    return this.#jobs.answer({ ...from, asked });
  }

  #refuseUnknown(asker: ReservedAsker, topic: string): void {
    const message = 'the topic names no request';
    if (UNKNOWN_REQUEST.exec(topic)?.[2] === 'streams') {
      const rejection = { o: 'InvalidTopic', m: message, c: undefined } as const;
      return asker.reply(`${topic}/rejected`, encodeStreamRejection('json', rejection));
    }
    const rejection = { code: 'InvalidTopic', message, timestamp: secondsOf(this.#ports.clock.now()) } as const;
    return asker.reply(`${topic}/rejected`, encodeJobsMessage('rejection', rejection), { unpoliced: true });
  }
}

function isProvisioning(asked: AwsIotRequest): asked is ProvisioningAsked {
  return asked.kind === 'create-keys' || asked.kind === 'create-from-csr' || asked.kind === 'register-thing';
}

/** A device uses its own name only, whatever a policy lets it publish. */
function ownerOf(
  asker: ReservedAsker,
  topic: string,
  who: { readonly principal: DevicePrincipal | ClaimPrincipal; readonly thing: string | undefined },
): DevicePrincipal {
  const { principal, thing } = who;
  if (principal.kind === 'device' && thing === principal.deviceId) return principal;
  asker.principal.onViolation('publish', topic);
  throw new HoldfastError(principal.kind === 'claim' ? 'communication.not_allowed' : 'update.foreign_thing');
}
