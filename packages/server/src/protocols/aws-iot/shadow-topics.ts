import { type Clock, HoldfastError } from '@holdfast/kernel';
import type { ShadowKey, Shadows } from '@holdfast/trust/communication';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import {
  type AwsIotRequest,
  type AwsMembers,
  awsReplyTopics,
  decodeShadowMembers,
  encodeShadowRejection,
  encodeShadowReply,
  readShadowToken,
  readShadowUpdate,
} from '@holdfast/wire/aws-iot';
import { shadowWord } from './error-words.ts';
import { InOrder } from './in-order.ts';
import type { DeviceRequest } from './request.ts';
import type { RequestRate } from './request-rate.ts';
import { stateWithDelta } from './shadow-words.ts';
import type { TopicPublisher } from './topic-publisher.ts';

export type ShadowsAsked = Extract<
  AwsIotRequest,
  {
    readonly kind:
      | 'shadow-get'
      | 'shadow-update'
      | 'shadow-delete'
      | 'named-shadow-get'
      | 'named-shadow-update'
      | 'named-shadow-delete';
  }
>;

type Verb = 'get' | 'update' | 'delete';

export interface ShadowTopicsPorts {
  readonly clock: Clock;
  readonly shadows: Shadows;
  readonly rate: RequestRate;
  readonly publisher: Pick<TopicPublisher, 'publish'>;
}

interface Question {
  readonly key: ShadowKey;
  readonly members: AwsMembers;
  readonly clientToken: string | undefined;
}

/** AWS IoT developer guide, "Device Shadow error messages", 429. */
const MAX_IN_FLIGHT = 10;

/**
 * The Device Shadow service over MQTT. Unlike those of jobs, its answers are published: everybody who subscribed to
 * them and may receive them gets them.
 *
 * @see AWS IoT developer guide, "Device Shadow MQTT topics"
 */
export class ShadowTopics {
  readonly #ports: ShadowTopicsPorts;
  readonly #inOrder = new InOrder();
  readonly #inFlight = new Map<string, number>();
  /** What update and delete answer is what every other listener hears as well: `ShadowNotices` says it. */
  readonly #verbs: Readonly<Record<Verb, (question: Question) => Promise<Uint8Array | undefined>>> = {
    get: async ({ key, clientToken }) => {
      const { state, metadata, delta, version } = await this.#ports.shadows.get(key);
      const at = this.#ports.clock.now();
      return encodeShadowReply({ state: stateWithDelta(state, delta), metadata, version, at, clientToken });
    },
    update: async ({ key, members }) => {
      await this.#ports.shadows.update(key, readShadowUpdate(members));
      return undefined;
    },
    delete: async ({ key, clientToken }) => {
      await this.#ports.shadows.delete(key, clientToken);
      return undefined;
    },
  };

  constructor(ports: ShadowTopicsPorts) {
    this.#ports = ports;
  }

  /** One request of a connection after the other, so that an older report never lies over a newer one. */
  async answer(request: DeviceRequest<ShadowsAsked>): Promise<void> {
    const { connectionId } = request.asker;
    const inFlight = this.#inFlight.get(connectionId) ?? 0;
    if (inFlight >= MAX_IN_FLIGHT) return this.#reject(request, new HoldfastError('update.rate_limited'), undefined);
    this.#inFlight.set(connectionId, inFlight + 1);
    try {
      await this.#inOrder.run(connectionId, () => this.#answer(request));
    } finally {
      const left = (this.#inFlight.get(connectionId) ?? 1) - 1;
      if (left === 0) this.#inFlight.delete(connectionId);
      else this.#inFlight.set(connectionId, left);
    }
  }

  async #answer(request: DeviceRequest<ShadowsAsked>): Promise<void> {
    const { asker, asked, device, payload } = request;
    const { publisher, rate } = this.#ports;
    let clientToken: string | undefined;
    try {
      await rate.take(asker.connectionId);
      const members = decodeShadowMembers(payload);
      clientToken = readShadowToken(members);
      const reply = await this.#verbs[verbOf(asked)]({ key: keyOf(device, asked), members, clientToken });
      if (reply !== undefined) await publisher.publish(device.tenant, awsReplyTopics(asked).accepted, reply);
    } catch (error) {
      await this.#reject(request, error, clientToken);
    }
  }

  async #reject({ asked, device }: DeviceRequest<ShadowsAsked>, error: unknown, clientToken: string | undefined) {
    const { clock, publisher } = this.#ports;
    const shadow = 'shadow' in asked ? asked.shadow : undefined;
    const rejection = { ...shadowWord(error, shadow), at: clock.now(), clientToken };
    await publisher.publish(device.tenant, awsReplyTopics(asked).rejected, encodeShadowRejection(rejection));
  }
}

function verbOf({ kind }: ShadowsAsked): Verb {
  if (kind.endsWith('get')) return 'get';
  return kind.endsWith('update') ? 'update' : 'delete';
}

function keyOf({ tenant, deviceId }: DevicePrincipal, asked: ShadowsAsked): ShadowKey {
  return { tenant, deviceId, name: 'shadow' in asked ? asked.shadow : undefined };
}

export function isShadowRequest(asked: AwsIotRequest): asked is ShadowsAsked {
  return asked.kind.includes('shadow-');
}
