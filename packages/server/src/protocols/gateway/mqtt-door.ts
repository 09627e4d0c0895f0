import { createServer as createTlsServer } from 'node:tls';
import { type Clock, type Log, toHoldfastError } from '@holdfast/kernel';
import type { TakeoverWatch } from '@holdfast/trust/identity';
import type { Fingerprint, StoredEvent } from '@holdfast/trust/ports';
import { REASON } from '@holdfast/wire/mqtt';
import type { ConnectionInfo, MqttBroker, MqttObserver } from '../mqtt/index.ts';
import type { AdmissionLimits } from './limits.ts';
import type { MqttEntrance } from './mqtt-entrance.ts';
import { deviceSessionKey, GatewayPrincipal } from './mqtt-principal.ts';
import type { PresenceBoard } from './presence.ts';
import type { CutReason, CutTarget, SessionTable } from './session-table.ts';
import { TlsDoor, type TlsDoorOptions } from './tls-door.ts';
import type { ServerMaterial, TlsChoices } from './tls-settings.ts';

export interface MqttDoorOptions {
  readonly host: string;
  readonly port: number;
  readonly material: ServerMaterial;
  readonly clientCas: readonly string[];
  readonly ticketSecret: Uint8Array;
  readonly ticketEpoch: number;
  readonly limits?: Partial<AdmissionLimits>;
  readonly tls?: Partial<TlsChoices>;
  readonly entrance: MqttEntrance;
  readonly onRefused: TlsDoorOptions['onRefused'];
  readonly clock: Clock;
  readonly log: Log;
}

/** Application protocols that mean MQTT. */
export const MQTT_ALPN = ['x-amzn-mqtt-ca', 'mqtt'] as const;

/** MQTT over TLS: proves the certificate and leaves the rest to the entrance and the MQTT core. */
export class MqttDoor {
  readonly #options: MqttDoorOptions;
  readonly #door: TlsDoor;

  constructor(options: MqttDoorOptions) {
    this.#options = options;
    const { entrance, ...rest } = options;
    this.#door = new TlsDoor({
      ...rest,
      name: 'mqtt',
      alpn: MQTT_ALPN,
      makeServer: (tls) =>
        createTlsServer(tls, (socket) => {
          this.#door.shaken(socket);
          entrance.take(socket);
        }),
    });
  }

  get door(): TlsDoor {
    return this.#door;
  }

  /** @returns the port in use. */
  listen(): Promise<number> {
    return this.#door.listen();
  }

  async close(): Promise<void> {
    await this.#options.entrance.close();
    await this.#door.close();
  }
}

/** Cuts after which nothing the device left may stay: its key was, or may have been, in other hands. */
const PURGING: ReadonlySet<CutReason> = new Set(['device-revoked', 'device-quarantined', 'certificate-revoked']);

/**
 * What a cut means to MQTT beyond the connections: the device's stored session with its queue, and what it retained.
 *
 * A single certificate takes them with it unless the device is connected by another one.
 */
export function purgeMqtt(
  broker: Pick<MqttBroker, 'cutSession' | 'holderOf'>,
  { event, reason, target }: { readonly event: StoredEvent; readonly target: CutTarget; readonly reason: CutReason },
): void {
  if (!PURGING.has(reason)) return;
  const deviceId = target.kind === 'device' ? target.deviceId : event.data['deviceId'];
  if (typeof deviceId !== 'string') return;
  // Its own name is the only client id a device may use, so this is every session it has.
  const key = deviceSessionKey(event.tenant, deviceId, deviceId);
  if (target.kind === 'certificate' && isHeldByAnother(broker.holderOf(key), target.fingerprint)) return;
  broker.cutSession(key, { reason: REASON.administrativeAction, purgeSession: true, purgeRetained: true });
}

function isHeldByAnother(holder: ConnectionInfo | undefined, fingerprint: Fingerprint): boolean {
  const principal = holder?.principal;
  return principal instanceof GatewayPrincipal && principal.peer.principal.fingerprint !== fingerprint;
}

export interface GatewayObserverPorts {
  readonly presence: PresenceBoard;
  readonly takeovers: TakeoverWatch;
  readonly sessions: SessionTable;
  readonly log: Log;
}

/** Tells presence, and the watch for copied keys, what happens to MQTT connections. */
export function gatewayObserver(
  ports: GatewayObserverPorts,
): Required<Pick<MqttObserver, 'connected' | 'disconnected' | 'takenOver'>> {
  const { presence } = ports;
  return {
    connected(connection) {
      const device = deviceOf(connection);
      if (device === undefined) return;
      presence.connected({
        ...device,
        protocol: 'mqtt',
        connectionId: connection.connectionId,
        remoteAddress: connection.address,
        connectedAt: connection.connectedAt,
      });
    },
    disconnected(connection) {
      const device = deviceOf(connection);
      if (device !== undefined) presence.disconnected(device.tenant, device.deviceId, connection.connectionId);
    },
    takenOver(previous, next) {
      void reportTakeover(ports, previous, next);
    },
  };
}

async function reportTakeover(
  { log, sessions, takeovers }: GatewayObserverPorts,
  previous: ConnectionInfo,
  next: ConnectionInfo,
): Promise<void> {
  const device = deviceOf(next);
  if (device === undefined) return;
  const place = ({ address, connectedAt, connectionId }: ConnectionInfo) => ({
    connectionId,
    remoteAddress: address,
    connectedAt,
  });
  try {
    const verdict = await takeovers.takenOver({ ...device, previous: place(previous), next: place(next) });
    // The event says so too; the clone must not talk until it comes.
    if (verdict === 'quarantined') sessions.cut({ kind: 'device', ...device }, 'device-quarantined');
  } catch (error) {
    log.error('a take-over could not be judged', { code: toHoldfastError(error).code, deviceId: device.deviceId });
  }
}

function deviceOf({ principal }: ConnectionInfo): { readonly tenant: string; readonly deviceId: string } | undefined {
  if (!(principal instanceof GatewayPrincipal) || principal.peer.kind !== 'device') return undefined;
  const { deviceId, tenant } = principal.peer.principal;
  return { tenant, deviceId };
}
