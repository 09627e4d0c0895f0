import type { Clock } from '@holdfast/kernel';
import type { PolicyAction } from './actions.ts';
import type { CompiledPolicy, Decision } from './compiled-policy.ts';
import type { PolicyRequest } from './policy-context.ts';
import { type ResourceType, resourceName } from './resource.ts';

export interface ConnectWish {
  readonly clientId: string;
  /** Whether the session shall outlive the connection. */
  readonly persistent: boolean;
  readonly will: { readonly topic: string; readonly retain: boolean } | undefined;
}

/** `full`, what `restricted` leaves, or `none`: posture's word, unchanged. */
export type RightsLevel = 'full' | 'restricted' | 'none';

/** What one connection may do, as of the moment it was made; replaced whole when something changes. */
export class Rights {
  readonly level: RightsLevel;
  /** Names of the policies they were made from, the missing and unreadable ones included. */
  readonly policies: readonly string[];
  readonly #policy: CompiledPolicy;
  readonly #clock: Clock;

  constructor(level: RightsLevel, policy: CompiledPolicy, clock: Clock, policies: readonly string[] = []) {
    this.level = level;
    this.policies = policies;
    this.#policy = policy;
    this.#clock = clock;
  }

  /** Judges a CONNECT with everything it asks for: client id, will topic, will retain. */
  connect(wish: ConnectWish): Decision {
    const attributes = [
      ...(wish.persistent ? (['PersistentConnect'] as const) : []),
      ...(wish.will === undefined ? [] : (['LastWill'] as const)),
    ];
    const request = {
      connectAttributes: attributes,
      ...(wish.will === undefined ? {} : { lastWillTopic: wish.will.topic }),
    };
    const decision = this.decide('iot:Connect', 'client', wish.clientId, request);
    if (decision.kind === 'deny' || wish.will === undefined) return decision;
    const will = this.publish(wish.will.topic, wish.will.retain);
    return will.kind === 'deny' ? will : decision;
  }

  publish(topic: string, retain: boolean): Decision {
    const decision = this.decide('iot:Publish', 'topic', topic);
    if (!retain || decision.kind === 'deny') return decision;
    return this.decide('iot:RetainPublish', 'topic', topic);
  }

  /**
   * Judges a filter. A shared subscription needs the right to its inner filter, because that is what is read, and must
   * not be denied under its whole name.
   *
   * @param share - ShareName, when `filter` is the inner filter of `$share/{ShareName}/{filter}`.
   */
  subscribe(filter: string, share: string | undefined): Decision {
    const decision = this.decide('iot:Subscribe', 'topicfilter', filter);
    if (share === undefined || decision.kind === 'deny') return decision;
    const whole = this.decide('iot:Subscribe', 'topicfilter', `$share/${share}/${filter}`);
    return whole.kind === 'deny' && whole.by !== undefined ? whole : decision;
  }

  receive(topic: string): Decision {
    return this.decide('iot:Receive', 'topic', topic);
  }

  decide(action: PolicyAction, type: ResourceType, name: string, request: Omit<PolicyRequest, 'now'> = {}): Decision {
    return this.#policy.decide(action, resourceName(type, name), { now: this.#clock.now(), ...request });
  }
}
