import { type EpochMs, ManualClock, seededRandom, silentLog } from '@holdfast/kernel';
import {
  type ConnectPacket,
  decodePacket,
  encodeConnect,
  FrameSplitter,
  type MqttPacket,
  type MqttVersion,
} from '@holdfast/wire/mqtt';
import { MqttBroker, type MqttBrokerPorts } from '../broker.ts';
import { MemoryStore } from '../memory-store.ts';
import type { AdmitRequest, AdmitVerdict, MqttAction, MqttPrincipal, Turn } from '../ports.ts';
import { MQTT_PROFILE } from '../profiles.ts';
import { PipeTransport } from './pipe.ts';

/** A turn that the test ends. */
export class ManualTurn implements Turn {
  #actions: (() => void)[] = [];

  defer(action: () => void): void {
    this.#actions.push(action);
  }

  end(): void {
    while (this.#actions.length > 0) {
      const actions = this.#actions;
      this.#actions = [];
      for (const action of actions) action();
    }
  }
}

/** A principal that may do everything until a test says otherwise. */
export class TestPrincipal implements MqttPrincipal {
  readonly sessionKey: string;
  readonly realm: string;
  persistentAllowed = true;
  readonly violations: (readonly [MqttAction, string])[] = [];
  connects = (_clientId: string): boolean => true;
  publishes = (_topic: string): boolean => true;
  subscribes = (_filter: string): boolean => true;
  receives = (_topic: string): boolean => true;

  constructor(sessionKey: string, realm = 'r') {
    this.sessionKey = sessionKey;
    this.realm = realm;
  }

  mayConnect(clientId: string): boolean {
    return this.connects(clientId);
  }

  mayPublish(topic: string): boolean {
    return this.publishes(topic);
  }

  maySubscribe(filter: string): boolean {
    return this.subscribes(filter);
  }

  mayReceive(topic: string): boolean {
    return this.receives(topic);
  }

  onViolation(action: MqttAction, resource: string): void {
    this.violations.push([action, resource]);
  }
}

/** One client in a test: a pipe with a packet decoder. */
export class TestClient {
  readonly pipe: PipeTransport;
  readonly version: MqttVersion;
  readonly #bench: Bench;
  readonly #splitter = new FrameSplitter(300_000_000);

  constructor(bench: Bench, version: MqttVersion, pipe: PipeTransport) {
    this.#bench = bench;
    this.version = version;
    this.pipe = pipe;
  }

  get closed(): boolean {
    return this.pipe.ended;
  }

  /** Sends, lets everything settle, and gives what came back. */
  async say(...packets: readonly Uint8Array[]): Promise<MqttPacket[]> {
    for (const packet of packets) this.pipe.send(packet);
    return this.hear();
  }

  async hear(): Promise<MqttPacket[]> {
    await this.#bench.settle();
    const packets: MqttPacket[] = [];
    this.#splitter.push(this.pipe.take(), {
      frame: (first, bytes, _start, body, end) => {
        packets.push(decodePacket(first, bytes.slice(body, end), this.version));
        return true;
      },
    });
    return packets;
  }
}

export type ConnectOptions = Partial<Omit<ConnectPacket, 'kind'>>;

/** The core with everything under the test's hand. */
export class Bench {
  readonly clock: ManualClock;
  readonly turn = new ManualTurn();
  readonly principals = new Map<string, TestPrincipal>();
  readonly broker: MqttBroker;
  admit: (request: AdmitRequest) => Promise<AdmitVerdict> = (request) =>
    Promise.resolve({ kind: 'admitted', principal: this.principal(request.clientId) });

  constructor(ports: Partial<MqttBrokerPorts> = {}, now?: EpochMs) {
    this.clock = new ManualClock(now);
    this.broker = new MqttBroker({
      clock: this.clock,
      random: seededRandom(1),
      log: silentLog,
      turn: this.turn,
      store: new MemoryStore(),
      authenticator: { admit: (request) => this.admit(request) },
      profile: MQTT_PROFILE,
      ...ports,
    });
  }

  static async started(ports: Partial<MqttBrokerPorts> = {}, now?: EpochMs): Promise<Bench> {
    const bench = new Bench(ports, now);
    await bench.broker.start();
    return bench;
  }

  principal(clientId: string): TestPrincipal {
    let principal = this.principals.get(clientId);
    if (principal === undefined) {
      principal = new TestPrincipal(`key:${clientId}`);
      this.principals.set(clientId, principal);
    }
    return principal;
  }

  /** Lets promises and the ends of turns run until nothing moves. */
  async settle(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      for (let tick = 0; tick < 8; tick++) await Promise.resolve();
      this.turn.end();
    }
  }

  async advance(seconds: number): Promise<void> {
    this.clock.advance(seconds * 1000);
    await this.settle();
  }

  open(version: MqttVersion = 5, peer = 'pipe'): TestClient {
    const pipe = new PipeTransport({ address: peer, identity: undefined });
    this.broker.accept(pipe);
    return new TestClient(this, version, pipe);
  }

  /** A connected client; CONNACK is taken. */
  async client(clientId: string, options: ConnectOptions = {}): Promise<TestClient> {
    const { client } = await this.connect(clientId, options);
    return client;
  }

  async connect(clientId: string, options: ConnectOptions = {}): Promise<{ client: TestClient; heard: MqttPacket[] }> {
    const client = this.open(options.version ?? 5);
    const heard = await client.say(encodeConnect(connectPacket(clientId, options)));
    return { client, heard };
  }
}

export function connectPacket(clientId: string, options: ConnectOptions = {}): Omit<ConnectPacket, 'kind'> {
  return {
    version: 5,
    clean: true,
    keepAlive: 60,
    clientId,
    will: undefined,
    userName: undefined,
    password: undefined,
    properties: {},
    ...options,
  };
}
