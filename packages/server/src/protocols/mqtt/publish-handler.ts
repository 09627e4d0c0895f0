import {
  decodeTopic,
  encodeAck,
  malformed,
  NO_PUBLISH_OPTIONS,
  type PublishOptions,
  protocolError,
  type Qos,
  REASON,
  readPublishOptions,
  scanPublish,
} from '@holdfast/wire/mqtt';
import type { Client } from './client.ts';
import { isExpired, Message } from './message.ts';
import { fitsTopicLimits, isReserved } from './profiles.ts';
import { reservedAsker } from './reserved-asker.ts';

const NO_BYTES = new Uint8Array(0);
const DOLLAR = 0x24;

/** What became of a message that the policy allowed. */
interface Dispatched {
  readonly reason: number;
  /** The router of reserved topics works on it. */
  readonly pending: Promise<void> | undefined;
  /** The tap works on it; false: the client has to keep it. */
  readonly tapped: Promise<boolean> | undefined;
}

/** PUBLISH and PUBREL of one client. */
export class PublishHandler {
  readonly #client: Client;
  #aliases: Map<number, string> | undefined;
  /** The last topic as it came and as text: devices publish to the same topic again and again. */
  #topicBytes: Uint8Array = NO_BYTES;
  #topic = '';
  /** QoS 1 messages that are not acknowledged yet. */
  #unacknowledged = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** One PUBLISH; the bytes are those of a network chunk. */
  receive(first: number, bytes: Uint8Array, start: number, body: number, end: number): void {
    const client = this.#client;
    const { services, version } = client;
    const { scan, profile } = services;
    services.metrics.publishesReceived++;
    services.pressure.behind = undefined;
    scanPublish(first, bytes, body, end, version, scan);
    const { qos, packetId } = scan;
    const options =
      scan.propertiesEnd > scan.propertiesStart
        ? readPublishOptions(bytes.subarray(scan.propertiesStart, scan.propertiesEnd))
        : NO_PUBLISH_OPTIONS;
    if (options.hasSubscriptionIdentifier) throw protocolError('subscription identifier'); // [MQTT-3.3.4-6]
    if (options.topicAlias !== undefined && options.topicAlias > services.limits.topicAliasMaximum) {
      client.control.fail(REASON.topicAliasInvalid, 'protocol-error');
      return;
    }
    const topic = this.#resolveTopic(bytes, options);
    if (qos > profile.maximumQos) {
      client.control.fail(REASON.qosNotSupported, 'protocol-error');
      return;
    }
    if (scan.payloadEnd - scan.payloadStart > profile.maxPayloadBytes) {
      client.control.fail(REASON.packetTooLarge, 'protocol-error');
      return;
    }
    if (qos === 2 && client.session.inbound.has(packetId)) {
      client.acks.add(encodeAck({ kind: 'pubrec', packetId }, version)); // A repeat [MQTT-4.3.3-10].
      return;
    }
    if (qos > 0 && !this.#hasRoom(qos)) return;
    if (this.#refused(topic, scan.retain, qos, packetId)) return;

    const plain =
      !scan.retain && !scan.dup && options.topicAlias === undefined && options.messageExpiryInterval === undefined;
    const message = new Message({
      realm: client.info.realm,
      topic,
      payload: bytes.subarray(scan.payloadStart, scan.payloadEnd),
      qos,
      retain: scan.retain,
      properties: options.passedOn,
      expiresAt:
        options.messageExpiryInterval === undefined
          ? undefined
          : services.clock.now() + options.messageExpiryInterval * 1000,
      publisher: client.session.key,
      ...(plain ? { original: { version, frame: { bytes, start, end, packetIdAt: scan.packetIdAt } } } : {}),
    });
    if (qos === 0) this.#dispatchUnacknowledged(message);
    else if (qos === 1) this.#acknowledge('puback', packetId, message);
    else this.#keep(packetId, message);
    if (services.pressure.behind !== undefined) client.control.rest(services.pressure.behind);
  }

  /** PUBREL: the message goes on its way only now, so that rights lost meanwhile count (mosquitto 2.0 ChangeLog). */
  release(packetId: number): void {
    const { session, services, version, acks, principal } = this.#client;
    const message = session.inbound.get(packetId);
    if (message === undefined) {
      acks.add(encodeAck({ kind: 'pubcomp', packetId }, version));
      return;
    }
    const expired = isExpired(message, services.clock.now());
    if (!expired && principal.mayPublish(message.topic, message.retain)) {
      services.pressure.behind = undefined;
      this.#acknowledge('pubcomp', packetId, message);
      if (services.pressure.behind !== undefined) this.#client.control.rest(services.pressure.behind);
      return;
    }
    // The exchange is completed all the same [MQTT-4.3.3-13].
    if (expired) services.metrics.messagesExpired++;
    else this.#report(message.topic, message.retain);
    session.dropInbound(packetId);
    acks.add(encodeAck({ kind: 'pubcomp', packetId }, version));
  }

  #resolveTopic(bytes: Uint8Array, { topicAlias }: PublishOptions): string {
    const { topicStart, topicEnd } = this.#client.services.scan;
    if (topicStart === topicEnd) {
      if (this.#client.version === 4) throw malformed('topic name', { reason: 'empty' });
      const known = topicAlias === undefined ? undefined : this.#aliases?.get(topicAlias);
      if (known === undefined) throw protocolError('topic alias', { reason: 'unknown' });
      return known;
    }
    if (!this.#isLastTopic(bytes, topicStart, topicEnd)) {
      this.#topicBytes = bytes.slice(topicStart, topicEnd);
      this.#topic = decodeTopic(this.#topicBytes);
    }
    if (topicAlias !== undefined) {
      this.#aliases ??= new Map();
      this.#aliases.set(topicAlias, this.#topic);
    }
    return this.#topic;
  }

  #isLastTopic(bytes: Uint8Array, start: number, end: number): boolean {
    const last = this.#topicBytes;
    if (last.length !== end - start) return false;
    // From the end: topics of one device differ there.
    for (let at = last.length - 1; at >= 0; at--) if (last[at] !== bytes[start + at]) return false;
    return true;
  }

  /** Whether the client keeps to its receive maximum; ends the connection when it does not. */
  #hasRoom(qos: Qos): boolean {
    const client = this.#client;
    const { limits } = client.services;
    const { inbound, inboundBytes } = client.session;
    if (client.version === 5 && inbound.size + this.#unacknowledged >= limits.receiveMaximum) {
      client.control.fail(REASON.receiveMaximumExceeded, 'protocol-error'); // [MQTT-3.3.4-9]
      return false;
    }
    const count = client.version === 5 ? limits.receiveMaximum : limits.maxUnreleased;
    if (qos === 1 || (inbound.size < count && inboundBytes < limits.maxUnreleasedBytes)) return true;
    client.control.fail(REASON.quotaExceeded, 'protocol-error');
    return false;
  }

  /** Asks size limits, reserved topics and the policy; answers a refusal. */
  #refused(topic: string, retain: boolean, qos: Qos, packetId: number): boolean {
    const { services, principal } = this.#client;
    const { profile } = services;
    if (!fitsTopicLimits(profile, topic)) {
      this.#refuse(qos, packetId, REASON.topicNameInvalid);
      return true;
    }
    const reserved = topic.charCodeAt(0) === DOLLAR && isReserved(profile, topic);
    const unclaimed = reserved && services.reserved?.claims(topic) !== true;
    if (!unclaimed && principal.mayPublish(topic, retain)) return false;
    this.#report(topic, retain);
    this.#refuse(qos, packetId, REASON.notAuthorized);
    return true;
  }

  #report(topic: string, retain: boolean): void {
    this.#client.services.metrics.publishesDenied++;
    this.#client.principal.onViolation(retain ? 'retain' : 'publish', topic);
  }

  /** MQTT 3.1.1 has no way to say no: the connection is closed, or a QoS 0 message dropped. */
  #refuse(qos: Qos, packetId: number, reason: number): void {
    const { version, acks } = this.#client;
    if (qos === 0) return;
    if (version === 4) this.#client.control.fail(reason, 'forbidden');
    else acks.add(encodeAck({ kind: qos === 1 ? 'puback' : 'pubrec', packetId, reason }, version));
  }

  #dispatchUnacknowledged(message: Message): void {
    const { pending } = this.#dispatch(message);
    pending?.catch((error: unknown) => this.#routerFailed(error));
  }

  /** Routes a message and acknowledges it once what had to be stored is stored. */
  #acknowledge(kind: 'puback' | 'pubcomp', packetId: number, message: Message): void {
    const client = this.#client;
    const { journal } = client.services;
    const before = journal.position;
    const { reason, pending, tapped } = this.#dispatch(message);
    if (kind === 'pubcomp') client.session.dropInbound(packetId);
    const packet = encodeAck({ kind, packetId, reason: kind === 'puback' ? reason : REASON.success }, client.version);
    if (journal.position === before && pending === undefined && tapped === undefined) {
      client.acks.add(packet);
      return;
    }
    const fill = this.#reserve();
    if (tapped !== undefined) {
      void this.#whenTaken(tapped, { kind, packetId, packet, fill });
      return;
    }
    if (pending === undefined) {
      this.#whenDurable(() => fill(packet));
      return;
    }
    pending.then(
      () => this.#whenDurable(() => fill(packet)),
      (error: unknown) => {
        this.#routerFailed(error);
        if (client.version === 4) client.control.fail(undefined, 'server-error');
        else fill(encodeAck({ kind, packetId, reason: kind === 'puback' ? REASON.unspecifiedError : 0 }, 5));
      },
    );
  }

  /** Not taken: the client keeps its message. MQTT 3.1.1 can say so only by ending the connection. */
  async #whenTaken(
    tapped: Promise<boolean>,
    {
      kind,
      packetId,
      packet,
      fill,
    }: {
      readonly kind: 'puback' | 'pubcomp';
      readonly packetId: number;
      readonly packet: Uint8Array;
      readonly fill: (packet: Uint8Array) => void;
    },
  ): Promise<void> {
    const client = this.#client;
    if (await tapped) this.#whenDurable(() => fill(packet));
    else if (client.version === 4 || kind === 'pubcomp') client.control.fail(REASON.quotaExceeded, 'server-error');
    else fill(encodeAck({ kind, packetId, reason: REASON.quotaExceeded }, client.version));
  }

  /** QoS 2: keeps the message until PUBREL. */
  #keep(packetId: number, message: Message): void {
    const { session, services, acks, version } = this.#client;
    const before = services.journal.position;
    session.keepInbound(packetId, message);
    const packet = encodeAck({ kind: 'pubrec', packetId }, version);
    if (services.journal.position === before) {
      acks.add(packet);
      return;
    }
    const fill = this.#reserve();
    // A message that was not stored must not be taken for one when the client repeats it.
    const undo = (): void => session.dropInbound(packetId);
    this.#whenDurable(() => fill(packet), undo);
  }

  #reserve(): (packet: Uint8Array) => void {
    const client = this.#client;
    const { maxPendingAcks } = client.services.limits;
    const fill = client.acks.reserve();
    this.#unacknowledged++;
    if (client.version === 4 && client.acks.length >= maxPendingAcks) client.control.block();
    return (packet) => {
      this.#unacknowledged--;
      fill(packet);
      if (client.version === 4 && client.acks.length < maxPendingAcks) client.control.unblock();
    };
  }

  #whenDurable(then: () => void, undo?: () => void): void {
    const client = this.#client;
    client.services.journal.whenDurable((durable) => {
      if (durable) then();
      else {
        undo?.();
        client.control.fail(REASON.serverBusy, 'server-error');
      }
    });
  }

  #dispatch(message: Message): Dispatched {
    const { services } = this.#client;
    const { reserved, router } = services;
    if (message.topic.charCodeAt(0) === DOLLAR && reserved?.claims(message.topic) === true) {
      return { reason: REASON.success, pending: this.#askRouter(message), tapped: undefined };
    }
    const { matched, retainRefused, tapped } = router.publish(message);
    if (retainRefused) return { reason: REASON.quotaExceeded, pending: undefined, tapped };
    return { reason: matched ? REASON.success : REASON.noMatchingSubscribers, pending: undefined, tapped };
  }

  async #askRouter(message: Message): Promise<void> {
    await this.#client.services.reserved?.publish(
      reservedAsker(this.#client),
      message.topic,
      message.payload,
      message.qos,
    );
  }

  #routerFailed(error: unknown): void {
    this.#client.services.log.error('a reserved topic was not served', { error: String(error) });
  }
}
