import type { Clock } from '@holdfast/kernel';
import { encodeProperties, type Will } from '@holdfast/wire/mqtt';
import { Message } from './message.ts';
import type { MqttMetrics } from './metrics.ts';
import type { MqttPrincipal } from './ports.ts';
import type { Router } from './router.ts';
import type { Session } from './session.ts';

export interface WillPorts {
  readonly clock: Clock;
  readonly router: Router;
  readonly metrics: MqttMetrics;
}

interface LastWords {
  /** Session key. */
  readonly publisher: string;
  readonly will: Will;
  readonly principal: MqttPrincipal;
}

/** The longest a timer can wait: 24 days; a will due later fires then. */
const MAX_DELAY_SECONDS = 2_147_483;

/** Publishes the last words of clients that vanished. */
export class Wills {
  readonly #ports: WillPorts;

  constructor(ports: WillPorts) {
    this.#ports = ports;
  }

  /**
   * A connection with a will has ended otherwise than by a normal DISCONNECT. The will is published when its delay
   * has passed or the session ends, whichever comes first [MQTT-3.1.3-9]; a resumed session cancels it.
   *
   * Limit: a will that waits for its delay lives in memory, so a restart forgets it. Publishing it at shutdown instead
   * would declare a whole fleet gone that is about to come back, which [MQTT-3.1.3-9] forbids.
   */
  connectionLost(session: Session, will: Will, principal: MqttPrincipal): void {
    const delay = Math.min(will.properties.willDelayInterval ?? 0, session.expirySeconds, MAX_DELAY_SECONDS);
    if (delay === 0) {
      this.#judged(principal.mayPublish(will.topic, will.retain), { publisher: session.key, will, principal });
      return;
    }
    const fire = (): void => {
      session.delayedWill = undefined;
      void this.#publishLate({ publisher: session.key, will, principal });
    };
    const timer = this.#ports.clock.after(delay * 1000, fire);
    session.delayedWill = { timer, fire };
  }

  /** The rights count when the will fires, not when it was left (EMQX issues 1230 and 8978). */
  async #publishLate(last: LastWords): Promise<void> {
    const { principal, will } = last;
    if (principal.mayPublishLate === undefined) {
      this.#judged(principal.mayPublish(will.topic, will.retain), last);
      return;
    }
    const allowed = await principal.mayPublishLate(will.topic, will.retain).catch(() => false);
    this.#judged(allowed, last);
  }

  #judged(allowed: boolean, { publisher, will, principal }: LastWords): void {
    const { metrics, router, clock } = this.#ports;
    if (!allowed) {
      metrics.willsDenied++;
      principal.onViolation('will', will.topic);
      return;
    }
    const { willDelayInterval: _delay, messageExpiryInterval, ...travelling } = will.properties;
    metrics.willsPublished++;
    router.publish(
      new Message({
        realm: principal.realm,
        topic: will.topic,
        payload: will.payload,
        qos: will.qos,
        retain: will.retain,
        properties: encodeProperties(travelling),
        expiresAt: messageExpiryInterval === undefined ? undefined : clock.now() + messageExpiryInterval * 1000,
        publisher,
      }),
    );
  }
}
