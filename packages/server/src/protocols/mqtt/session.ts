import type { EpochMs, Timer } from '@holdfast/kernel';
import type { Qos, RetainHandling } from '@holdfast/wire/mqtt';
import type { Link } from './link.ts';
import type { Message } from './message.ts';
import { Outbound, type OutboundPorts } from './outbound.ts';
import type { StoredSession } from './ports.ts';

export interface Subscription {
  readonly session: Session;
  /** As subscribed, `$share/{ShareName}/` included. */
  readonly text: string;
  readonly filter: string;
  readonly share: string | undefined;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: RetainHandling;
  readonly subscriptionId: number | undefined;
}

export interface DelayedWill {
  readonly timer: Timer;
  fire(): void;
}

/** What the server remembers of a client: subscriptions, and messages on the way in both directions. */
export class Session {
  readonly key: string;
  readonly realm: string;
  readonly clientId: string;
  readonly subscriptions = new Map<string, Subscription>();
  /** QoS 2 messages received and not released, by the client's packet identifier. */
  readonly inbound = new Map<number, Message>();
  inboundBytes = 0;
  expirySeconds = 0;
  disconnectedAt: EpochMs | undefined;
  expiryTimer: Timer | undefined;
  delayedWill: DelayedWill | undefined;
  link: Link | undefined;
  /** Whether its state is in the durable store. */
  persistent = false;
  /** It is not connected here, where several cores serve it: its queue is in the store alone. */
  remote = false;
  /** How often a connection here has left it. */
  departures = 0;
  ended = false;
  readonly outbound: Outbound;
  readonly #ports: OutboundPorts;
  constructor(
    identity: { readonly key: string; readonly realm: string; readonly clientId: string },
    ports: OutboundPorts,
  ) {
    this.key = identity.key;
    this.realm = identity.realm;
    this.clientId = identity.clientId;
    this.#ports = ports;
    this.outbound = new Outbound(this, ports);
  }

  toStored(): StoredSession {
    const { key, realm, clientId, expirySeconds, disconnectedAt } = this;
    return { key, realm, clientId, expirySeconds, disconnectedAt };
  }

  keepInbound(packetId: number, message: Message): void {
    message.hold();
    this.inbound.set(packetId, message);
    this.inboundBytes += message.size;
    if (!this.persistent) return;
    const messageId = this.#ports.journal.keep(message);
    this.#ports.journal.add({ kind: 'inbound-saved', key: this.key, packetId, messageId });
  }

  dropInbound(packetId: number): void {
    const message = this.inbound.get(packetId);
    if (message === undefined) return;
    this.inbound.delete(packetId);
    this.inboundBytes -= message.size;
    if (this.persistent) {
      this.#ports.journal.add({ kind: 'inbound-removed', key: this.key, packetId });
      this.#ports.journal.release(message);
    }
  }

  /** Forgets what is on the way in memory; the store has it. */
  dropMemory(): void {
    this.outbound.reset();
    this.inbound.clear();
    this.inboundBytes = 0;
  }

  restoreInbound(packetId: number, message: Message): void {
    message.references++;
    this.inbound.set(packetId, message);
    this.inboundBytes += message.size;
  }

  /** Takes its state out of the durable store; in memory it goes on as long as the connection. */
  forgetDurably(): void {
    if (!this.persistent) return;
    this.persistent = false;
    this.#ports.journal.add({ kind: 'session-removed', key: this.key });
    this.outbound.releaseAll();
    for (const message of this.inbound.values()) this.#ports.journal.release(message);
  }
}
