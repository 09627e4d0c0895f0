import type { ConnectionOptions } from 'node:tls';
import { silentLog, systemClock } from '@holdfast/kernel';
import { MqttEntrance, WebSocketDoor } from '../protocols/gateway/index.ts';
import type { ConnectOptions, MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import { MqttWorld, ours, server } from '../protocols/gateway/testing/mqtt-world.ts';
import { WebSocketStream, type WebSocketWish } from '../protocols/gateway/testing/web-socket-stream.ts';
import { DeviceHttp } from '../protocols/https/device-http.ts';
import { DeviceListener } from '../protocols/https/device-listener.ts';
import type { DeviceRoute } from '../protocols/https/device-route.ts';
import { MuxListener } from '../protocols/https/mux-listener.ts';
import { PROFILES } from '../protocols/mqtt/index.ts';
import type { Issued } from './test-authority.ts';

/** A way to reach MQTT. */
export interface MqttDoorRow {
  readonly name: string;
  readonly listener: 'mqtt' | 'https' | 'mux';
  /** What the client offers; none where it is absent. */
  readonly alpn?: readonly string[];
  readonly inWebSocket?: boolean;
}

/** Every door that MQTT has. */
export const MQTT_DOORS: readonly MqttDoorRow[] = [
  { name: 'on its own port', listener: 'mqtt' },
  { name: 'in WebSocket on the HTTPS port', listener: 'https', inWebSocket: true },
  { name: 'on the one port by x-amzn-mqtt-ca', listener: 'mux', alpn: ['x-amzn-mqtt-ca'] },
  { name: 'on the one port by mqtt', listener: 'mux', alpn: ['mqtt'] },
  { name: 'on the one port by its first byte', listener: 'mux' },
  { name: 'in WebSocket on the one port by http/1.1', listener: 'mux', alpn: ['http/1.1'], inWebSocket: true },
  { name: 'in WebSocket on the one port by its first byte', listener: 'mux', inWebSocket: true },
];

/** The MQTT core behind every listener that leads to it, on free ports, over a registry and a store in memory. */
export class DoorsWorld {
  readonly mqtt = new MqttWorld();
  readonly http: DeviceHttp;
  readonly https: DeviceListener;
  readonly mux: MuxListener;
  readonly #ports = new Map<string, number>();

  constructor(routes: readonly DeviceRoute[] = [], muxProfile: 'aws' | 'mqtt' = 'aws') {
    const { admission, authority, broker, entrance, presence } = this.mqtt;
    const shared = { clock: systemClock, log: silentLog };
    let ids = 0;
    this.http = new DeviceHttp({
      ...shared,
      routes,
      admission,
      authority,
      presence,
      webSockets: new WebSocketDoor(entrance),
      nextConnectionId: () => `http-${ids++}`,
    });
    const listening = {
      ...shared,
      host: '127.0.0.1',
      port: 0,
      material: { keyPem: server.keyPem, chainPem: server.pem },
      clientCas: [ours.root.pem],
      ticketSecret: new Uint8Array(32).fill(9),
      ticketEpoch: 0,
      limits: { firstByteMs: 300 },
      http: this.http,
      onRefused: () => undefined,
    };
    this.https = new DeviceListener(listening);
    const profile = muxProfile === 'aws' ? {} : { profile: PROFILES[muxProfile] };
    const nextConnectionId = () => `mux-${ids++}`;
    const muxEntrance = new MqttEntrance({ broker, admission, nextConnectionId, clock: systemClock, ...profile });
    this.mux = new MuxListener({ ...listening, entrance: muxEntrance });
  }

  async start(): Promise<void> {
    await this.mqtt.start();
    this.#ports.set('mqtt', this.mqtt.port);
    this.#ports.set('https', await this.https.listen());
    this.#ports.set('mux', await this.mux.listen());
  }

  async close(): Promise<void> {
    await this.mqtt.close();
    await this.mux.close();
    await this.https.close();
    this.http.close();
  }

  credentials(listener: MqttDoorRow['listener'], issued: Issued, tls: ConnectionOptions = {}): ConnectionOptions {
    const own = { key: issued.keyPem, cert: issued.pem, ca: ours.root.pem };
    return { host: '127.0.0.1', port: this.port(listener), servername: 'localhost', ...own, ...tls };
  }

  port(listener: MqttDoorRow['listener']): number {
    return this.#ports.get(listener) ?? 0;
  }

  /** Connects by one of the doors and waits for CONNACK or the end. */
  open(
    door: MqttDoorRow,
    issued: Issued | undefined,
    options: Partial<ConnectOptions> & { readonly wish?: WebSocketWish } = {},
  ): Promise<MqttClient> {
    const { tls, wish, ...rest } = options;
    return this.mqtt.open(issued, {
      ...rest,
      port: this.port(door.listener),
      tls: { ...(door.alpn === undefined ? {} : { ALPNProtocols: [...door.alpn] }), ...tls },
      ...(door.inWebSocket === true ? { through: (socket) => new WebSocketStream(socket, wish) } : {}),
    });
  }
}
