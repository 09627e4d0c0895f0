import {
  type AckName,
  type ConnectPacket,
  decodeAck,
  decodeReasonPacket,
  encodeAck,
  framingLost,
  malformed,
  type MqttVersion,
  PACKET_TYPE,
  PINGRESP,
  protocolError,
  type Qos,
  REASON,
  requiredFlags,
  type Will,
} from '@holdfast/wire/mqtt';
import { AckLine } from './ack-line.ts';
import type { Client, ConnectionControl } from './client.ts';
import { type Message, type PublishFrame, secondsLeft } from './message.ts';
import { OutboundAliases } from './outbound-aliases.ts';
import type { Outbox } from './outbox.ts';
import type { ConnectionInfo, EndCause, MqttPrincipal } from './ports.ts';
import { PublishHandler } from './publish-handler.ts';
import { Relief } from './relief.ts';
import type { Services } from './services.ts';
import type { Delivery } from './link.ts';
import type { AckOutcome } from './outbound.ts';
import type { Session } from './session.ts';
import { handleSubscribe, handleUnsubscribe } from './subscribe-handler.ts';

export interface ActiveClientParts {
  readonly services: Services;
  readonly control: ConnectionControl;
  readonly outbox: Outbox;
  readonly connect: ConnectPacket;
  readonly info: ConnectionInfo;
  readonly expirySeconds: number;
}

const ACK_NAMES: Readonly<Record<number, AckName>> = {
  [PACKET_TYPE.puback]: 'puback',
  [PACKET_TYPE.pubrec]: 'pubrec',
  [PACKET_TYPE.pubrel]: 'pubrel',
  [PACKET_TYPE.pubcomp]: 'pubcomp',
};

/** A client after CONNACK: its packets in, its messages out. */
export class ActiveClient implements Client {
  readonly services: Services;
  readonly control: ConnectionControl;
  readonly info: ConnectionInfo;
  readonly version: MqttVersion;
  readonly principal: MqttPrincipal;
  readonly session: Session;
  readonly sessionPresent: boolean;
  readonly outbox: Outbox;
  readonly acks: AckLine;
  readonly window: number;
  readonly #will: Will | undefined;
  readonly #askedExpiry: number;
  readonly #maxPacketSize: number;
  readonly #aliases: OutboundAliases | undefined;
  readonly #publishes: PublishHandler;
  #relief: Relief | undefined;

  /** Takes over the session of its key, ending the connection that has it. */
  constructor({ services, control, outbox, connect, info, expirySeconds }: ActiveClientParts) {
    const { limits } = services;
    const { properties } = connect;
    this.services = services;
    this.control = control;
    this.info = info;
    this.version = connect.version;
    this.principal = info.principal;
    this.outbox = outbox;
    this.acks = new AckLine(outbox);
    this.window = Math.min(properties.receiveMaximum ?? limits.maxInflight, limits.maxInflight);
    this.#will = connect.will;
    this.#askedExpiry = properties.sessionExpiryInterval ?? 0;
    this.#maxPacketSize = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    const aliases = Math.min(properties.topicAliasMaximum ?? 0, limits.maxOutboundAliases);
    this.#aliases = aliases > 0 ? new OutboundAliases(aliases) : undefined;
    const { session, present } = services.sessions.attach(this, connect.clean, expirySeconds);
    this.session = session;
    this.sessionPresent = present;
    this.#publishes = new PublishHandler(this);
  }

  get congested(): boolean {
    return this.outbox.unsent > this.services.limits.slowBytes;
  }

  /** One packet. Throws what decoders throw. */
  handle(first: number, bytes: Uint8Array, start: number, body: number, end: number): void {
    const type = first >> 4;
    if (type === PACKET_TYPE.publish) {
      this.#publishes.receive(first, bytes, start, body, end);
      return;
    }
    this.#checkHeader(type, first, end - body);
    switch (type) {
      case PACKET_TYPE.puback:
      case PACKET_TYPE.pubrec:
      case PACKET_TYPE.pubrel:
      case PACKET_TYPE.pubcomp:
        this.#acknowledged(type, bytes, body, end);
        return;
      case PACKET_TYPE.subscribe:
        handleSubscribe(this, bytes.subarray(body, end));
        return;
      case PACKET_TYPE.unsubscribe:
        handleUnsubscribe(this, bytes.subarray(body, end));
        return;
      case PACKET_TYPE.pingreq:
        this.outbox.add(PINGRESP);
        return;
      case PACKET_TYPE.disconnect:
        this.#disconnect(bytes.subarray(body, end));
        return;
      default:
        throw protocolError('packet type', { type }); // [MQTT-3.1.0-2], or a packet that only servers send
    }
  }

  mayReceive(topic: string): boolean {
    return this.principal.mayReceive(topic);
  }

  sendQos0(message: Message, retain: boolean, subscriptionIds: readonly number[]): void {
    const { unsent } = this.outbox;
    const { slowBytes } = this.services.limits;
    if (unsent * 4 > slowBytes) {
      this.fallBehind();
      if (unsent > slowBytes) {
        this.services.metrics.messagesDropped++;
        return;
      }
    }
    this.#send(message, 0, retain, subscriptionIds, 0, false);
  }

  sendDelivery(delivery: Delivery, dup: boolean): boolean {
    const { message, qos, retain, subscriptionIds, packetId } = delivery;
    return this.#send(message, qos, retain, subscriptionIds, packetId, dup);
  }

  fallBehind(): void {
    this.#relief ??= new Relief();
    const nowMs = this.services.clock.monotonicMs();
    if (this.#relief.helps(nowMs, this.outbox.taken)) this.services.pressure.behind = this.#relief;
  }

  /** The transport has room again, or the turn has ended: sends what waits, and wakes publishers that rest. */
  drained(): void {
    const { outbound } = this.session;
    outbound.pump();
    const caughtUp = this.outbox.unsent * 8 <= this.services.limits.slowBytes && !outbound.behind;
    if (this.#relief !== undefined && caughtUp) this.#relief.caughtUp();
  }

  sendRelease(packetId: number): void {
    this.outbox.add(encodeAck({ kind: 'pubrel', packetId }, this.version));
  }

  takeOver(): void {
    this.control.fail(REASON.sessionTakenOver, 'taken-over');
  }

  /** The connection has ended: the session waits or ends, the will is due or not. */
  ended(cause: EndCause, willDue: boolean): void {
    const will = willDue && this.#will !== undefined ? { will: this.#will, principal: this.principal } : undefined;
    this.services.sessions.detach(this.session, will);
    this.#relief?.caughtUp();
    this.services.observer.disconnected?.(this.info, cause);
  }

  /** Only packets that clients send are judged by their flags: the others are wrong anyhow. */
  #checkHeader(type: number, first: number, length: number): void {
    if ((type === PACKET_TYPE.pingreq || type === PACKET_TYPE.pingresp) && length > 0) {
      throw framingLost('remaining length', { type, length });
    }
    const judged = (type >= PACKET_TYPE.puback && type <= PACKET_TYPE.pingreq) || type === PACKET_TYPE.disconnect;
    if (judged && (first & 0x0f) !== requiredFlags(type)) throw malformed('flags', { type }); // [MQTT-2.1.3-1]
  }

  #acknowledged(type: number, bytes: Uint8Array, body: number, end: number): void {
    const kind = ACK_NAMES[type] ?? 'puback';
    let packetId = ((bytes[body] ?? 0) << 8) | (bytes[body + 1] ?? 0);
    let refused = false;
    if (end - body !== 2 || packetId === 0) {
      const packet = decodeAck(kind, bytes.subarray(body, end), this.version);
      packetId = packet.packetId;
      refused = packet.reason >= 0x80;
    }
    if (kind === 'pubrel') this.#publishes.release(packetId);
    else if (this.#settle(kind, packetId, refused) === 'violation') throw protocolError(kind, { packetId });
  }

  #settle(kind: AckName, packetId: number, refused: boolean): AckOutcome {
    if (kind === 'puback') return this.session.outbound.acknowledge(packetId);
    if (kind === 'pubcomp') return this.session.outbound.completed(packetId);
    const outcome = this.session.outbound.received(packetId, refused);
    // A PUBREC that nobody waits for is answered too, so that the exchange ends (4.3.3).
    if (outcome !== 'violation' && !refused) this.sendRelease(packetId);
    return outcome;
  }

  #disconnect(body: Uint8Array): void {
    const { reason, properties } = decodeReasonPacket('disconnect', body, this.version);
    const { sessionExpiryInterval } = properties;
    if (sessionExpiryInterval !== undefined) {
      if (this.#askedExpiry === 0 && sessionExpiryInterval > 0) throw protocolError('session expiry interval');
      const { sessions, limits } = this.services;
      const allowed = this.principal.persistentAllowed ? limits.maxSessionExpirySeconds : 0;
      sessions.changeExpiry(this.session, Math.min(sessionExpiryInterval, allowed));
    }
    this.control.leave(reason !== REASON.success);
  }

  #send(
    message: Message,
    qos: Qos,
    retain: boolean,
    subscriptionIds: readonly number[],
    packetId: number,
    dup: boolean,
  ): boolean {
    const varied = retain || dup || (this.version === 5 && this.#needsProperties(message, subscriptionIds));
    const frame = varied ? this.#vary(message, qos, retain, subscriptionIds, dup) : message.frame(this.version, qos);
    if (frame.end - frame.start > this.#maxPacketSize) {
      this.#aliases?.withdraw(message.topic);
      this.services.metrics.messagesDropped++;
      return false;
    }
    this.services.metrics.messagesSent++;
    this.outbox.addPacket(frame.bytes, frame.start, frame.end, frame.packetIdAt, packetId);
    return true;
  }

  #needsProperties(message: Message, subscriptionIds: readonly number[]): boolean {
    return this.#aliases !== undefined || subscriptionIds.length > 0 || message.expiresAt !== undefined;
  }

  #vary(message: Message, qos: Qos, retain: boolean, subscriptionIds: readonly number[], dup: boolean): PublishFrame {
    const aliased = this.#aliases?.of(message.topic);
    const seconds = secondsLeft(message, this.services.clock.now());
    return message.varied(this.version, {
      qos,
      retain,
      dup,
      packetId: 0,
      properties: {
        ...(seconds === undefined ? {} : { messageExpiryInterval: seconds }),
        ...(aliased === undefined ? {} : { topicAlias: aliased.alias }),
        ...(subscriptionIds.length === 0 ? {} : { subscriptionIdentifiers: subscriptionIds }),
      },
      withoutTopic: aliased?.known === true,
    });
  }
}
