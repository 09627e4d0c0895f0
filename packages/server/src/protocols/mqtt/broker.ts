import { type Clock, HoldfastError, type Log, type Random, type Timer } from '@holdfast/kernel';
import {
  createPublishScan,
  encodeProperties,
  isTopicName,
  type MqttProperties,
  type Qos,
  REASON,
  readPublishOptions,
} from '@holdfast/wire/mqtt';
import { Connection } from './connection.ts';
import { dismissInWaves } from './farewell.ts';
import { Interest } from './interest.ts';
import { Journal } from './journal.ts';
import { DEFAULT_LIMITS, type MqttLimits } from './limits.ts';
import { isExpired, Message } from './message.ts';
import { createMetrics, type MqttMetrics } from './metrics.ts';
import { Flusher } from './outbox.ts';
import { PeerSide } from './peer-side.ts';
import type { Peers } from './peers.ts';
import type {
  Authenticator,
  ConnectionInfo,
  CutOptions,
  CutOutcome,
  CutSubject,
  DurableStore,
  MessageTap,
  MqttObserver,
  ReservedTopics,
  Transport,
  Turn,
} from './ports.ts';
import { fitsTopicLimits, isReserved, type MqttProfile } from './profiles.ts';
import { Router } from './router.ts';
import type { Services } from './services.ts';
import { SessionTable } from './session-table.ts';
import { Wills } from './wills.ts';

export interface MqttBrokerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly turn: Turn;
  readonly store: DurableStore;
  readonly authenticator: Authenticator;
  /** Of listeners that name none, and of the topics: which filters match is the same for all of a core's clients. */
  readonly profile: MqttProfile;
  /** Over the profile's, which stand over the defaults. */
  readonly limits?: Partial<MqttLimits>;
  readonly reserved?: ReservedTopics;
  readonly observer?: MqttObserver;
  readonly tap?: MessageTap | undefined;
  /** The other cores on the same store; without it this one is alone. */
  readonly peers?: Peers | undefined;
  /** Begins every connection's identity, where those of several cores meet. */
  readonly idPrefix?: string | undefined;
}

export interface ServerMessage {
  readonly realm: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos?: Qos;
  readonly retain?: boolean;
}

/** A message of a client that has no connection here. */
export interface ClientMessage extends Required<ServerMessage> {
  /** Session key it publishes as: what it retains is counted, and purged, under it. */
  readonly publisher: string;
  readonly properties: MqttProperties;
}

/** What became of a message for one session. */
export type SessionPublishOutcome = 'sent' | 'queued' | 'not-subscribed' | 'no-session';

const TICK_MS = 500;
const NO_BYTES = new Uint8Array(0);

/** The MQTT core: connections in, messages routed, sessions kept. Knows no socket, no certificate and no SQL. */
export class MqttBroker {
  readonly metrics: MqttMetrics = createMetrics();
  readonly limits: MqttLimits;
  /** Where other cores reach this one. */
  readonly peerSide: PeerSide;
  readonly #ports: MqttBrokerPorts;
  readonly #services: Services;
  readonly #byProfile = new Map<string, Services>();
  readonly #connections = new Map<string, Connection>();
  #ticker: Timer | undefined;
  #lastId = 0;
  #closing = false;
  #closed: Promise<void> | undefined;

  constructor(ports: MqttBrokerPorts) {
    const { clock, random, log, turn, store, authenticator, profile, reserved, observer = {} } = ports;
    const { metrics } = this;
    const limits = { ...DEFAULT_LIMITS, ...profile.limits, ...ports.limits };
    this.limits = limits;
    this.#ports = ports;
    const { peers } = ports;
    const interest = peers && new Interest(peers);
    const nextId = peers && (() => peers.nextId());
    const journal = new Journal({ store, turn, log, metrics, nextId });
    const router = new Router({ profile, limits, clock, journal, metrics, tap: ports.tap, peers });
    const wills = new Wills({ clock, router, metrics });
    const sessions = new SessionTable({ clock, journal, limits, metrics, router, wills, observer, peers, interest });
    this.peerSide = new PeerSide({ sessions, router, journal, interest });
    this.#services = {
      profile,
      limits,
      clock,
      random,
      log,
      metrics,
      flusher: new Flusher(turn),
      journal,
      router,
      sessions,
      peers,
      interest,
      authenticator,
      reserved,
      observer,
      scan: createPublishScan(),
      pressure: { behind: undefined },
    };
    this.#byProfile.set(profile.name, this.#services);
  }

  /** Loads sessions and retained messages; connections are accepted from then on. */
  async start(): Promise<void> {
    this.#services.sessions.restore(await this.#ports.store.load());
    const { clock } = this.#ports;
    this.#ticker = clock.every(TICK_MS, () => {
      const now = clock.monotonicMs();
      for (const connection of this.#connections.values()) connection.tick(now);
    });
  }

  /** Ends every connection (MQTT 5: server shutting down, or use another server) and waits until what they said is durable. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing = true;
    if (this.#ports.peers !== undefined) await dismissInWaves([...this.#connections.values()], this.#ports);
    this.#ticker?.cancel();
    for (const connection of this.#connections.values()) connection.fail(REASON.serverShuttingDown, 'server-shutdown');
    await this.#services.journal.settle();
    for (const session of this.#services.sessions.all()) {
      session.expiryTimer?.cancel();
      session.delayedWill?.timer.cancel();
    }
  }

  /** The bounds of connections under a profile. */
  limitsOf(profile: MqttProfile = this.#ports.profile): MqttLimits {
    return this.#servicesOf(profile).limits;
  }

  /**
   * Takes a transport over.
   *
   * @param profile - Of the listener it came by.
   * @returns the connection's identity, or undefined when there is no room.
   */
  accept(transport: Transport, profile: MqttProfile = this.#ports.profile): string | undefined {
    if (this.#closing || this.#connections.size >= this.limits.maxConnections) {
      this.metrics.connectionsRefused++;
      transport.destroy();
      return undefined;
    }
    const id = `${this.#ports.idPrefix ?? ''}c${++this.#lastId}`;
    const connection = new Connection({
      id,
      transport,
      services: this.#servicesOf(profile),
      onEnd: (ended) => {
        this.metrics.connectionsEnded++;
        this.#connections.delete(ended.id);
      },
    });
    this.metrics.connectionsAccepted++;
    this.#connections.set(id, connection);
    transport.start(connection);
    return id;
  }

  /**
   * Cuts every connection, admitted or not, and with `purgeSession` every session, that `selects` picks. Publishes no
   * will. Idempotent: a second call finds what is left, which is nothing.
   */
  cut(selects: (subject: CutSubject) => boolean, options: CutOptions = {}): CutOutcome {
    const chosen = [...this.#connections.values()].filter((connection) => selects(liveSubject(connection)));
    const keys = new Set<string>();
    for (const connection of chosen) {
      if (connection.info !== undefined) keys.add(connection.info.sessionKey);
      connection.fail(options.reason ?? REASON.administrativeAction, 'cut');
    }
    this.metrics.connectionsCut += chosen.length;
    let sessions = 0;
    const { router, sessions: table } = this.#services;
    for (const session of table.all()) {
      const subject = { ...NOBODY, sessionKey: session.key, realm: session.realm };
      if (!keys.has(session.key) && (session.link !== undefined || !selects(subject))) continue;
      keys.add(session.key);
      if (options.purgeSession !== true || session.link !== undefined) continue;
      table.end(session, true);
      sessions++;
    }
    const retained =
      options.purgeRetained === true
        ? router.purgeRetained((sessionKey, realm) => {
            return keys.has(sessionKey) || selects({ ...NOBODY, sessionKey, realm });
          })
        : 0;
    return { connections: chosen.length, sessions, retained };
  }

  /** `cut` for one connection, found by its identity. @returns whether it was there */
  cutConnection(connectionId: string): boolean {
    const connection = this.#connections.get(connectionId);
    if (connection === undefined) return false;
    connection.fail(REASON.administrativeAction, 'cut');
    this.metrics.connectionsCut++;
    return true;
  }

  /** `cut` for the session of one key and whoever has it, without looking at the others. */
  cutSession(key: string, options: CutOptions = {}): CutOutcome {
    const { router, sessions: table } = this.#services;
    const holder = this.#connections.get(this.holderOf(key)?.connectionId ?? '');
    if (holder !== undefined) {
      holder.fail(options.reason ?? REASON.administrativeAction, 'cut');
      this.metrics.connectionsCut++;
    }
    const session = table.get(key);
    const isEnding = options.purgeSession === true && session !== undefined && session.link === undefined;
    if (isEnding) table.end(session, true);
    const retained = options.purgeRetained === true ? router.purgeRetained((publisher) => publisher === key) : 0;
    return { connections: holder === undefined ? 0 : 1, sessions: isEnding ? 1 : 0, retained };
  }

  /** Who has the session of a key now. */
  holderOf(key: string): ConnectionInfo | undefined {
    return this.#services.sessions.get(key)?.link?.info;
  }

  /**
   * Publishes as the server. Resolves when every durable subscriber and the retained message are stored.
   *
   * @throws `communication.mqtt_malformed` for a topic that no message may have; `store.unavailable` when the store
   * failed.
   */
  async publish({ realm, topic, payload, qos = 0, retain = false }: ServerMessage): Promise<void> {
    const { journal, router } = this.#services;
    const before = journal.position;
    router.publish(serverMessage({ realm, topic, payload, qos, retain }));
    if (journal.position > before) await this.#durable();
  }

  /**
   * Publishes as a client that came by another protocol; its right to the topic is the caller's to judge. Resolves as
   * `publish` does.
   *
   * @throws `communication.mqtt_malformed` for a topic that no message may have, `communication.not_allowed` for one of
   * the server's own, `communication.mqtt_too_large`, `communication.retained_full`, `communication.sinks_full`,
   * `store.unavailable`
   */
  async publishFor(wish: ClientMessage): Promise<void> {
    const { clock, profile } = this.#ports;
    const { topic, payload, properties } = wish;
    if (!isTopicName(topic) || !fitsTopicLimits(profile, topic)) {
      throw new HoldfastError('communication.mqtt_malformed', { field: 'topic name' });
    }
    if (isReserved(profile, topic)) throw new HoldfastError('communication.not_allowed');
    if (payload.length > profile.maxPayloadBytes) throw new HoldfastError('communication.mqtt_too_large');
    // Read back as a packet's would be: what MQTT does not allow would end the subscribers' connections.
    const { messageExpiryInterval: seconds, passedOn } = readPublishOptions(encodeProperties(properties));
    const expiresAt = seconds === undefined ? undefined : clock.now() + seconds * 1000;
    const { journal, router } = this.#services;
    const before = journal.position;
    const message = new Message({ ...wish, properties: passedOn, expiresAt });
    const { retainRefused, tapped } = router.publish(message);
    if (journal.position > before) await this.#durable();
    if ((await tapped) === false) throw new HoldfastError('communication.sinks_full');
    if (retainRefused) throw new HoldfastError('communication.retained_full');
  }

  /** The message that is retained on a topic. */
  retained(realm: string, topic: string): { readonly payload: Uint8Array; readonly qos: Qos } | undefined {
    const message = this.#services.router.space(realm).retained.get(topic);
    return message === undefined || isExpired(message, this.#ports.clock.now()) ? undefined : message;
  }

  /**
   * Publishes to one session, if it subscribed to the topic: at the lower of both QoS. An offline session gets it
   * when it comes back, if its state outlives connections and the QoS is 1 or 2.
   */
  publishToSession(sessionKey: string, topic: string, payload: Uint8Array, qos: Qos = 0): SessionPublishOutcome {
    const { sessions, router } = this.#services;
    const session = sessions.get(sessionKey);
    if (session === undefined) return 'no-session';
    const { own } = router.space(session.realm).match(topic);
    const match = own.find((candidate) => candidate.session === session);
    if (match === undefined) return 'not-subscribed';
    const granted = match.qos < qos ? match.qos : qos;
    const message = serverMessage({ realm: session.realm, topic, payload, qos: granted, retain: false });
    session.outbound.deliver(message, granted, false, match.subscriptionIds);
    return session.link === undefined ? 'queued' : 'sent';
  }

  /** Who is connected now. */
  describeConnections(): ConnectionInfo[] {
    const infos: ConnectionInfo[] = [];
    for (const { info } of this.#connections.values()) if (info !== undefined) infos.push(info);
    return infos;
  }

  /** Sizes now, beside the counters of `metrics`. */
  gauges(): {
    readonly connections: number;
    readonly sessions: number;
    readonly offlineSessions: number;
    readonly retainedMessages: number;
  } {
    const { sessions, router } = this.#services;
    return {
      connections: this.#connections.size,
      sessions: sessions.size,
      offlineSessions: sessions.offline,
      retainedMessages: router.retainedCount,
    };
  }

  #servicesOf(profile: MqttProfile): Services {
    const known = this.#byProfile.get(profile.name);
    if (known !== undefined) return known;
    const limits = { ...DEFAULT_LIMITS, ...profile.limits, ...this.#ports.limits };
    const services = { ...this.#services, profile, limits };
    this.#byProfile.set(profile.name, services);
    return services;
  }

  #durable(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#services.journal.whenDurable((durable) => {
        if (durable) resolve();
        else reject(new HoldfastError('store.unavailable'));
      });
    });
  }
}

const NOBODY: CutSubject = {
  connectionId: undefined,
  peer: undefined,
  principal: undefined,
  sessionKey: undefined,
  realm: undefined,
};

function liveSubject(connection: Connection): CutSubject {
  const { info } = connection;
  return {
    connectionId: connection.id,
    peer: connection.transport.peer,
    principal: info?.principal,
    sessionKey: info?.sessionKey,
    realm: info?.realm,
  };
}

function serverMessage(fields: Required<ServerMessage>): Message {
  if (!isTopicName(fields.topic)) throw new HoldfastError('communication.mqtt_malformed', { field: 'topic name' });
  return new Message({ ...fields, properties: NO_BYTES, expiresAt: undefined, publisher: '' });
}
