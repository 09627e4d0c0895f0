import { type Clock, encodeHex, type EpochMs, type Log, type Random, toHoldfastError } from '@holdfast/kernel';
import type { Tenant } from '@holdfast/trust/ports';
import { encodeAwsPayload } from '@holdfast/wire/aws-iot';
import type { ConnectionInfo, EndCause, MqttObserver } from '../mqtt/ports.ts';
import type { TopicPublisher } from './topic-publisher.ts';

/** The device behind a connection. */
interface LifecyclePeer {
  readonly tenant: Tenant;
  /** SHA-256 of its certificate, lower-case hex: what AWS calls the certificate id. */
  readonly fingerprint: string;
}

export interface LifecycleEventsPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly publisher: Pick<TopicPublisher, 'publish'>;
  /** Undefined for a claim: what only enrolls must not look like the device it enrolls. */
  readonly peerOf: (connection: ConnectionInfo) => LifecyclePeer | undefined;
}

/** @see AWS IoT developer guide, "Connect/Disconnect events" */
const REASONS: Readonly<Record<EndCause, string>> = {
  'client-disconnect': 'CLIENT_INITIATED_DISCONNECT',
  'connection-lost': 'CONNECTION_LOST',
  'keep-alive-timeout': 'MQTT_KEEP_ALIVE_TIMEOUT',
  'protocol-error': 'CLIENT_ERROR',
  'taken-over': 'DUPLICATE_CLIENTID',
  forbidden: 'FORBIDDEN_ACCESS',
  'slow-consumer': 'THROTTLED',
  cut: 'SERVER_INITIATED_DISCONNECT',
  'server-error': 'SERVER_ERROR',
  'server-shutdown': 'SERVER_INITIATED_DISCONNECT',
};

interface Known {
  readonly version: number;
  readonly online: number;
  readonly leftAt: EpochMs;
}

/** Version numbers start again after about an hour offline, as at AWS. */
const REMEMBERED_MS = 3_600_000;
const MAX_REMEMBERED = 100_000;

/** Publishes who comes, goes, subscribes and unsubscribes, as AWS does; who may hear it is the policy's to say. */
export class LifecycleEvents implements Required<Omit<MqttObserver, 'takenOver'>> {
  readonly #ports: LifecycleEventsPorts;
  readonly #known = new Map<string, Known>();
  /** By connection: version and session identifier, as its first event told them. */
  readonly #sessions = new Map<string, { readonly version: number; readonly id: string }>();

  constructor(ports: LifecycleEventsPorts) {
    this.#ports = ports;
  }

  connected(connection: ConnectionInfo): void {
    if (!this.#speaksOf(connection)) return;
    const version = this.#arrived(connection.sessionKey);
    this.#sessions.set(connection.connectionId, { version, id: this.#newSessionId() });
    // Without the port, as AWS tells it.
    const ipAddress = connection.address.slice(0, connection.address.lastIndexOf(':'));
    this.#publish('presence', connection, 'connected', { ipAddress, versionNumber: version });
  }

  disconnected(connection: ConnectionInfo, cause: EndCause): void {
    const session = this.#sessions.get(connection.connectionId);
    if (session === undefined) return;
    this.#left(connection.sessionKey);
    this.#publish('presence', connection, 'disconnected', {
      clientInitiatedDisconnect: cause === 'client-disconnect',
      disconnectReason: REASONS[cause],
      versionNumber: session.version,
    });
    this.#sessions.delete(connection.connectionId);
  }

  subscribed(connection: ConnectionInfo, topics: readonly string[]): void {
    this.#publish('subscriptions', connection, 'subscribed', { topics });
  }

  unsubscribed(connection: ConnectionInfo, topics: readonly string[]): void {
    this.#publish('subscriptions', connection, 'unsubscribed', { topics });
  }

  /** AWS sends none for client ids a topic cannot hold as one level. */
  #speaksOf(connection: ConnectionInfo): boolean {
    return !/[#+/]/.test(connection.clientId) && this.#ports.peerOf(connection) !== undefined;
  }

  #publish(
    family: 'presence' | 'subscriptions',
    connection: ConnectionInfo,
    eventType: 'connected' | 'disconnected' | 'subscribed' | 'unsubscribed',
    rest: Readonly<Record<string, unknown>>,
  ): void {
    const { clock, log, peerOf, publisher } = this.#ports;
    const session = this.#sessions.get(connection.connectionId);
    const peer = peerOf(connection);
    if (session === undefined || peer === undefined) return;
    const { clientId } = connection;
    const payload = encodeAwsPayload('json', {
      clientId,
      timestamp: clock.now(),
      eventType,
      sessionIdentifier: session.id,
      principalIdentifier: peer.fingerprint,
      ...rest,
    });
    const published = publisher.publish(peer.tenant, `$aws/events/${family}/${eventType}/${clientId}`, payload);
    published.catch((error: unknown) => {
      log.warn('a lifecycle event was not told', { clientId, eventType, code: toHoldfastError(error).code });
    });
  }

  /** @returns the version number of the connection and of its end */
  #arrived(key: string): number {
    const before = this.#known.get(key);
    const forgotten =
      before === undefined || (before.online <= 0 && this.#ports.clock.now() - before.leftAt > REMEMBERED_MS);
    const version = forgotten ? 0 : before.version + 1;
    this.#remember(key, { version, online: forgotten ? 1 : before.online + 1, leftAt: 0 });
    return version;
  }

  /** A take-over ends the old connection after the new one came. */
  #left(key: string): void {
    const before = this.#known.get(key);
    if (before !== undefined) {
      this.#remember(key, { ...before, online: before.online - 1, leftAt: this.#ports.clock.now() });
    }
  }

  #remember(key: string, known: Known): void {
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size <= MAX_REMEMBERED) return;
    for (const stalest of this.#known.keys()) {
      this.#known.delete(stalest);
      return;
    }
  }

  /** In the form of a UUID, version 4. */
  #newSessionId(): string {
    const bytes = this.#ports.random.bytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return encodeHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
}
