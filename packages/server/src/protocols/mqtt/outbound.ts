import type { Clock, EpochMs } from '@holdfast/kernel';
import type { Qos } from '@holdfast/wire/mqtt';
import type { Journal } from './journal.ts';
import type { MqttLimits } from './limits.ts';
import type { Delivery, Link } from './link.ts';
import { isExpired, type Message } from './message.ts';
import type { MqttMetrics } from './metrics.ts';
import type { DeliveryState, StoredDelivery } from './ports.ts';

export interface OutboundPorts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly limits: MqttLimits;
  readonly metrics: MqttMetrics;
}

/** The session that messages go to. */
export interface OutboundOwner {
  readonly key: string;
  /** Whether its state is in the durable store. */
  readonly persistent: boolean;
  /** Another core may have it connected: what is for it goes to the store, and no further. */
  readonly remote: boolean;
  /** Undefined while it is connected, here or elsewhere. */
  readonly disconnectedAt: EpochMs | undefined;
  readonly link: Link | undefined;
}

const LAST_PACKET_ID = 65_535;
/** Above what a queue and a window hold together. */
const MAX_SEEN = 100_000;

export type AckOutcome = 'done' | 'unknown' | 'violation';

/** The messages on their way to one session: window, queue, identifiers, acknowledgements. */
export class Outbound {
  readonly #owner: OutboundOwner;
  readonly #ports: OutboundPorts;
  readonly #inflight = new Map<number, Delivery>();
  /** Waiting for room in the window, in order; `#head` is the first that still waits. */
  #queue: Delivery[] = [];
  #head = 0;
  #queuedBytes = 0;
  /** Sent on an earlier connection, to be sent again with their old identifiers [MQTT-4.4.0-1]. */
  #again: Delivery[] = [];
  /** Sent on this connection and not acknowledged. */
  #outstanding = 0;
  #lastPacketId = 0;
  #nextOrder = 1;
  /** Orders that are, or were lately, on the way here, where other cores may tell of the same again. */
  readonly #seen = new Set<number>();
  /** Stored here for a session since nobody has it connected. */
  #storedElsewhere = 0;

  constructor(owner: OutboundOwner, ports: OutboundPorts) {
    this.#owner = owner;
    this.#ports = ports;
  }

  get queued(): number {
    return this.#queue.length - this.#head;
  }

  /** Whether a quarter of the queue is filled. */
  get behind(): boolean {
    const { maxQueuedMessages, maxQueuedBytes } = this.#ports.limits;
    return this.queued * 4 > maxQueuedMessages || this.#queuedBytes * 4 > maxQueuedBytes;
  }

  /** Takes one message: sends it, queues it, or drops it when the session cannot have it. */
  deliver(message: Message, qos: Qos, retain: boolean, subscriptionIds: readonly number[], unpoliced = false): void {
    const link = this.#owner.link;
    if (link !== undefined && !unpoliced && !link.mayReceive(message.topic)) {
      this.#ports.metrics.deliveriesDenied++;
      return;
    }
    if (qos === 0) {
      link?.sendQos0(message, retain, subscriptionIds);
      return;
    }
    if (link === undefined && !this.#owner.persistent) return;
    if (this.queued >= this.#ports.limits.maxQueuedMessages || this.#queuedBytes > this.#ports.limits.maxQueuedBytes) {
      this.#ports.metrics.queueOverflows++;
      return;
    }
    if (this.#owner.remote && this.#isFullElsewhere()) {
      this.#ports.metrics.queueOverflows++;
      return;
    }
    message.hold();
    const delivery: Delivery = {
      order: this.#ports.journal.nextId?.() ?? this.#nextOrder++,
      message,
      qos,
      retain,
      subscriptionIds,
      unpoliced,
      packetId: 0,
      state: 'queued',
      outstanding: false,
    };
    if (this.#owner.remote) {
      this.#saveDelivery(delivery);
      message.references--;
      message.shared = true;
      return;
    }
    this.#see(delivery.order);
    const now = link !== undefined && this.#hasRoom(link) && this.queued === 0 && this.#again.length === 0;
    if (now) this.#assign(delivery);
    if (this.#owner.persistent) this.#saveDelivery(delivery);
    if (now && link !== undefined) this.#transmit(link, delivery, false);
    else this.#enqueue(delivery);
    if (link !== undefined && this.behind) link.fallBehind();
  }

  /** Takes up its place on a new connection: what was under way is sent again, then the queue. */
  resume(link: Link): void {
    this.#outstanding = 0;
    this.#again = [];
    for (const delivery of this.#inflight.values()) {
      delivery.outstanding = delivery.state === 'released';
      if (delivery.outstanding) {
        this.#outstanding++;
        link.sendRelease(delivery.packetId);
      } else this.#again.push(delivery);
    }
    this.pump();
  }

  /** Sends what waits while the window and the transport have room. */
  pump(): void {
    const link = this.#owner.link;
    if (link === undefined) return;
    while (this.#again.length > 0 && this.#hasRoom(link)) {
      const delivery = this.#again.shift();
      // The client may have acknowledged on the new connection what it got on the old one.
      if (delivery !== undefined && this.#inflight.has(delivery.packetId)) this.#send(link, delivery, true);
    }
    if (this.#again.length > 0) return;
    while (this.queued > 0 && this.#hasRoom(link)) {
      const delivery = this.#dequeue();
      if (delivery !== undefined) this.#send(link, delivery, false);
    }
  }

  /** PUBACK. A QoS 2 message cannot be acknowledged so. */
  acknowledge(packetId: number): AckOutcome {
    const delivery = this.#inflight.get(packetId);
    if (delivery === undefined) return 'unknown';
    if (delivery.qos !== 1) return 'violation';
    this.#complete(delivery);
    return 'done';
  }

  /** PUBREC; `refused` when its reason is 0x80 or more: the exchange ends there. */
  received(packetId: number, refused: boolean): AckOutcome {
    const delivery = this.#inflight.get(packetId);
    if (delivery === undefined) return 'unknown';
    if (delivery.qos !== 2) return 'violation';
    if (refused) this.#complete(delivery);
    else if (delivery.state === 'sent') this.#move(delivery, 'released');
    return 'done';
  }

  /** PUBCOMP. */
  completed(packetId: number): AckOutcome {
    const delivery = this.#inflight.get(packetId);
    if (delivery === undefined) return 'unknown';
    if (delivery.qos !== 2 || delivery.state !== 'released') return 'violation';
    this.#complete(delivery);
    return 'done';
  }

  /** Takes one that another core stored for this session. One that is known already is left alone. */
  take(stored: StoredDelivery, message: Message): void {
    if (this.#seen.has(stored.order)) return;
    message.references++;
    this.#see(stored.order);
    const delivery = { ...stored, message, unpoliced: false, outstanding: false };
    if (this.queued >= this.#ports.limits.maxQueuedMessages) {
      this.#ports.metrics.queueOverflows++;
      this.#discard(delivery);
      return;
    }
    this.#enqueue(delivery);
    this.pump();
  }

  /** Forgets everything that is on the way. */
  reset(): void {
    this.#inflight.clear();
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
    this.#again = [];
    this.#outstanding = 0;
    this.#storedElsewhere = 0;
    this.#seen.clear();
  }

  /** Puts back what the durable store held; before the first connection. */
  restore(stored: StoredDelivery, message: Message): void {
    this.#see(stored.order);
    const delivery: Delivery = { ...stored, message, unpoliced: false, outstanding: false };
    message.references++;
    this.#nextOrder = Math.max(this.#nextOrder, stored.order + 1);
    if (delivery.packetId > 0) this.#inflight.set(delivery.packetId, delivery);
    else this.#enqueue(delivery);
  }

  /** The durable store is to forget them; they stay here as long as the connection. */
  releaseAll(): void {
    for (const { message } of this.#inflight.values()) this.#ports.journal.release(message);
    for (const { message } of this.#queue.slice(this.#head)) this.#ports.journal.release(message);
  }

  #hasRoom(link: Link): boolean {
    return this.#outstanding < link.window && this.#inflight.size < LAST_PACKET_ID && !link.congested;
  }

  #send(link: Link, delivery: Delivery, dup: boolean): void {
    // What was sent once does not expire any more [MQTT-4.3.3-7], [MQTT-3.3.2-5].
    if (delivery.packetId === 0 && isExpired(delivery.message, this.#ports.clock.now())) {
      this.#ports.metrics.messagesExpired++;
      this.#discard(delivery);
    } else if (!delivery.unpoliced && !link.mayReceive(delivery.message.topic)) {
      this.#ports.metrics.deliveriesDenied++;
      this.#discard(delivery);
    } else {
      if (delivery.packetId === 0) {
        this.#assign(delivery);
        this.#saveMove(delivery);
      }
      this.#transmit(link, delivery, dup);
    }
  }

  #transmit(link: Link, delivery: Delivery, dup: boolean): void {
    if (!link.sendDelivery(delivery, dup)) {
      this.#discard(delivery);
      return;
    }
    this.#outstanding++;
    delivery.outstanding = true;
  }

  #assign(delivery: Delivery): void {
    do this.#lastPacketId = this.#lastPacketId === LAST_PACKET_ID ? 1 : this.#lastPacketId + 1;
    while (this.#inflight.has(this.#lastPacketId));
    delivery.packetId = this.#lastPacketId;
    delivery.state = 'sent';
    this.#inflight.set(delivery.packetId, delivery);
  }

  #complete(delivery: Delivery): void {
    if (delivery.outstanding) this.#outstanding--;
    this.#discard(delivery);
    this.pump();
  }

  #discard(delivery: Delivery): void {
    if (delivery.packetId > 0) this.#inflight.delete(delivery.packetId);
    if (!this.#owner.persistent) return;
    this.#ports.journal.add({ kind: 'delivery-removed', key: this.#owner.key, order: delivery.order });
    this.#ports.journal.release(delivery.message);
  }

  #move(delivery: Delivery, state: DeliveryState): void {
    delivery.state = state;
    this.#saveMove(delivery);
  }

  #isFullElsewhere(): boolean {
    if (this.#owner.disconnectedAt === undefined) this.#storedElsewhere = 0;
    return this.#storedElsewhere++ >= this.#ports.limits.maxQueuedMessages;
  }

  #see(order: number): void {
    if (this.#ports.journal.nextId === undefined) return;
    this.#seen.add(order);
    if (this.#seen.size <= MAX_SEEN) return;
    for (const oldest of this.#seen) {
      this.#seen.delete(oldest);
      return;
    }
  }

  #saveMove(delivery: Delivery): void {
    if (!this.#owner.persistent) return;
    const { order, packetId, state } = delivery;
    this.#ports.journal.add({ kind: 'delivery-moved', key: this.#owner.key, order, packetId, state });
  }

  #saveDelivery(delivery: Delivery): void {
    const messageId = this.#ports.journal.keep(delivery.message);
    const { order, qos, retain, subscriptionIds, packetId, state } = delivery;
    const stored = { order, messageId, qos, retain, subscriptionIds, packetId, state };
    this.#ports.journal.add({ kind: 'delivery-saved', key: this.#owner.key, delivery: stored });
  }

  #enqueue(delivery: Delivery): void {
    this.#queue.push(delivery);
    this.#queuedBytes += delivery.message.size;
  }

  #dequeue(): Delivery | undefined {
    const delivery = this.#queue[this.#head++];
    if (this.#head > 64 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    if (delivery !== undefined) this.#queuedBytes -= delivery.message.size;
    return delivery;
  }
}
