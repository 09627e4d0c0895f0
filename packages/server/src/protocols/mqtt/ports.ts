import type { EpochMs } from '@holdfast/kernel';
import type { ConnectPacket, MqttVersion, Qos, RetainHandling } from '@holdfast/wire/mqtt';

/** What a listener knows of the other end. */
export interface PeerInfo {
  /** Address and port, for logs and presence. */
  readonly address: string;
  /** What the listener proved (certificate, tenant, ...). The core hands it to the authenticator unread. */
  readonly identity: unknown;
}

/** What the core hears from a transport. */
export interface TransportEvents {
  /** Bytes that arrived; the core may keep views of them until the next turn. */
  data(chunk: Uint8Array): void;
  /** What was written has left: `bufferedBytes` is low again. */
  drained(): void;
  /** The other end is gone, for whatever reason. Comes once. */
  closed(): void;
}

/** A byte stream: a TLS socket, a plain socket, or two ends in one process. */
export interface Transport {
  readonly peer: PeerInfo;
  /** Bytes accepted by `write` that have not left yet. */
  readonly bufferedBytes: number;
  start(events: TransportEvents): void;
  write(bytes: Uint8Array): void;
  /** Ends after what was written has left; destroys if the other end lingers. */
  end(): void;
  destroy(): void;
  /** Stops and restarts `data`. */
  pause(): void;
  resume(): void;
}

export type MqttAction = 'connect' | 'publish' | 'retain' | 'subscribe' | 'receive' | 'will';

/**
 * A client after authentication. Live: every answer is asked for anew at each message, so that a change of policy
 * or posture shows at once. Synchronous and cheap: it stands on the hot path.
 */
export interface MqttPrincipal {
  /** Names the session: tenant, device and client id, or a key space of its own for a claim. One session per key. */
  readonly sessionKey: string;
  /** The topic space (tenant): nothing crosses from one realm to another. */
  readonly realm: string;
  /** Whether a session may outlive its connection. */
  readonly persistentAllowed: boolean;
  mayConnect(clientId: string, will: { readonly topic: string; readonly retain: boolean } | undefined): boolean;
  mayPublish(topic: string, retain: boolean): boolean;
  /**
   * Judges a will that comes due long after its connection went, whose rights nobody kept current: they are read anew.
   * Without it `mayPublish` is asked. A rejection is a refusal.
   */
  mayPublishLate?(topic: string, retain: boolean): Promise<boolean>;
  /** `filter` is the inner filter of a shared subscription, `share` its name. */
  maySubscribe(filter: string, share: string | undefined): boolean;
  mayReceive(topic: string): boolean;
  /** Something was refused; for the audit log. */
  onViolation(action: MqttAction, resource: string): void;
}

export interface AdmitRequest {
  readonly connectionId: string;
  readonly connect: ConnectPacket;
  /** The client's identifier, or the one the core assigned because it sent none. */
  readonly clientId: string;
  readonly clientIdAssigned: boolean;
  readonly peer: PeerInfo;
}

export type AdmitVerdict =
  | { readonly kind: 'admitted'; readonly principal: MqttPrincipal }
  /** `returnCode` is said to MQTT 3.1.1, `reason` to MQTT 5. */
  | { readonly kind: 'refused'; readonly returnCode: number; readonly reason: number };

/**
 * Says who a client is. Reads the committed status when asked: the connection is registered before, so that a cut
 * that comes meanwhile finds it. A rejection of the promise is answered "server unavailable".
 */
export interface Authenticator {
  admit(request: AdmitRequest): Promise<AdmitVerdict>;
}

/** The client that published to a reserved topic. */
export interface ReservedAsker {
  readonly connectionId: string;
  readonly clientId: string;
  readonly version: MqttVersion;
  readonly principal: MqttPrincipal;
  /**
   * Answers this connection alone, whether it subscribed or not: at QoS 1 when it subscribed with 1 or 2, else at
   * QoS 0, and never twice. Nothing happens when the connection is gone.
   *
   * @param options.unpoliced - skips `mayReceive` (jobs topics, as at AWS).
   */
  reply(topic: string, payload: Uint8Array, options?: { readonly unpoliced?: boolean }): void;
}

/** What answers publishes to `$` topics, before publish/subscribe sees them. */
export interface ReservedTopics {
  /** Whether publishes to this topic are taken. Asked for topics that begin with `$`. */
  claims(topic: string): boolean;
  /**
   * Takes a publish that the policy allowed. The publisher's acknowledgement waits for the promise; a rejection is
   * answered with 0x80, or by closing an MQTT 3.1.1 connection.
   */
  publish(asker: ReservedAsker, topic: string, payload: Uint8Array, qos: Qos): Promise<void> | void;
}

/** A message that is on its way, whoever published it. Its bytes may be views: whoever keeps them copies. */
export interface TappedMessage {
  readonly realm: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  /** MQTT 5 properties that travel with it, encoded. */
  readonly properties: Uint8Array;
  /** Session key of the publisher, empty for the server itself. */
  readonly publisher: string;
}

/** Sees every message that the policy allowed, beside the subscribers. Synchronous and cheap where it wants none. */
export interface MessageTap {
  /**
   * @returns what the publisher's acknowledgement waits for, or undefined; it resolves to false when the message was
   * not taken and the publisher has to keep it. Never rejects.
   */
  offer(message: TappedMessage): Promise<boolean> | undefined;
}

export interface ConnectionInfo {
  readonly connectionId: string;
  readonly sessionKey: string;
  readonly realm: string;
  readonly clientId: string;
  readonly address: string;
  readonly version: MqttVersion;
  readonly connectedAt: EpochMs;
  readonly keepAliveSeconds: number;
  readonly principal: MqttPrincipal;
}

/** Why a connection ended, in AWS's words where it has them. */
export type EndCause =
  | 'client-disconnect'
  | 'connection-lost'
  | 'keep-alive-timeout'
  | 'protocol-error'
  | 'taken-over'
  | 'forbidden'
  | 'slow-consumer'
  | 'cut'
  | 'server-error'
  | 'server-shutdown';

/** Hears of what happens to connections: presence, lifecycle events, detection of copied keys. */
export interface MqttObserver {
  connected?(connection: ConnectionInfo): void;
  disconnected?(connection: ConnectionInfo, cause: EndCause): void;
  takenOver?(previous: ConnectionInfo, next: ConnectionInfo): void;
  subscribed?(connection: ConnectionInfo, filters: readonly string[]): void;
  unsubscribed?(connection: ConnectionInfo, filters: readonly string[]): void;
}

/** What a cut looks at: a live connection (perhaps not admitted yet: then without principal) or an offline session. */
export interface CutSubject {
  readonly connectionId: string | undefined;
  readonly peer: PeerInfo | undefined;
  readonly principal: MqttPrincipal | undefined;
  readonly sessionKey: string | undefined;
  readonly realm: string | undefined;
}

export interface CutOptions {
  /** DISCONNECT reason for MQTT 5; default 0x98, administrative action. */
  readonly reason?: number;
  /** Also ends the session (online or not): queue, subscriptions, delayed will. */
  readonly purgeSession?: boolean;
  /** Also removes the retained messages that the session published. */
  readonly purgeRetained?: boolean;
}

export interface CutOutcome {
  readonly connections: number;
  readonly sessions: number;
  readonly retained: number;
}

/** Runs an action at the end of the current turn of the event loop, after pending input. */
export interface Turn {
  defer(action: () => void): void;
}

export interface StoredMessage {
  /** Unique and growing. */
  readonly id: number;
  readonly realm: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  /** MQTT 5 properties that travel with it, encoded. */
  readonly properties: Uint8Array;
  readonly expiresAt: EpochMs | undefined;
  /** Session key of the publisher, empty for the server itself. */
  readonly publisher: string;
}

export interface StoredSession {
  readonly key: string;
  readonly realm: string;
  readonly clientId: string;
  /** 0xFFFFFFFF never expires. */
  readonly expirySeconds: number;
  /** Undefined while connected. */
  readonly disconnectedAt: EpochMs | undefined;
}

export interface StoredSubscription {
  /** As subscribed, `$share/{ShareName}/` included: the key within a session. */
  readonly text: string;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: RetainHandling;
  readonly subscriptionId: number | undefined;
}

/** A QoS 1 or 2 message on its way to one session. */
export interface StoredDelivery {
  /** Order within the session. */
  readonly order: number;
  readonly messageId: number;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly subscriptionIds: readonly number[];
  /** 0 while queued. */
  readonly packetId: number;
  readonly state: DeliveryState;
}

/** `released` is QoS 2 after PUBREC: the client has the message, PUBREL is due. */
export type DeliveryState = 'queued' | 'sent' | 'released';

/** One change of durable state. `key` is a session key. */
export type StoreChange =
  | { readonly kind: 'session-saved'; readonly session: StoredSession }
  /** With its subscriptions, deliveries and inbound messages. */
  | { readonly kind: 'session-removed'; readonly key: string }
  | { readonly kind: 'subscription-saved'; readonly key: string; readonly subscription: StoredSubscription }
  | { readonly kind: 'subscription-removed'; readonly key: string; readonly text: string }
  | { readonly kind: 'message-saved'; readonly message: StoredMessage }
  /** No delivery, retained or inbound entry refers to it any more. */
  | { readonly kind: 'message-removed'; readonly id: number }
  | { readonly kind: 'delivery-saved'; readonly key: string; readonly delivery: StoredDelivery }
  | {
      readonly kind: 'delivery-moved';
      readonly key: string;
      readonly order: number;
      readonly packetId: number;
      readonly state: DeliveryState;
    }
  | { readonly kind: 'delivery-removed'; readonly key: string; readonly order: number }
  | { readonly kind: 'retained-saved'; readonly realm: string; readonly topic: string; readonly messageId: number }
  | { readonly kind: 'retained-removed'; readonly realm: string; readonly topic: string }
  /** A QoS 2 message that was received and not yet released; not delivered before PUBREL. */
  | { readonly kind: 'inbound-saved'; readonly key: string; readonly packetId: number; readonly messageId: number }
  | { readonly kind: 'inbound-removed'; readonly key: string; readonly packetId: number };

export interface StoredState {
  readonly messages: readonly StoredMessage[];
  /** Highest identity in use, also by messages that are stored and cannot be given; 0 when there is none. */
  readonly lastMessageId: number;
  readonly sessions: readonly {
    readonly session: StoredSession;
    readonly subscriptions: readonly StoredSubscription[];
    /** In order. */
    readonly deliveries: readonly StoredDelivery[];
    readonly inbound: readonly { readonly packetId: number; readonly messageId: number }[];
  }[];
  readonly retained: readonly { readonly realm: string; readonly topic: string; readonly messageId: number }[];
}

/** Where sessions, queues and retained messages survive a restart. Only sessions with an expiry over 0 come here. */
export interface DurableStore {
  /** Everything, read once at start. */
  load(): Promise<StoredState>;
  /**
   * Applies the changes as one unit, after those of earlier calls; resolves when they would survive a power cut.
   * The core calls it at most once a turn and does not wait before the next call: group commit lives behind it.
   * An empty list is a barrier: it resolves after everything before it.
   */
  append(changes: readonly StoreChange[]): Promise<void>;
}
