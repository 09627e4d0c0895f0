import { silentLog, systemClock } from '@holdfast/kernel';
import {
  type MqttPacket,
  encodePublish,
  encodeSubscribe,
  type Qos,
  type SubscriptionRequest,
} from '@holdfast/wire/mqtt';
import { expect } from 'vitest';
import { type MemoryBus, MemoryHub } from '../../engines/bus/index.ts';
import { type OpenStore, openStore } from '../../persistence/index.ts';
import { SqlSharedSessions } from '../../persistence/repositories/communication-cluster.ts';
import type { MessageKeys } from '../../persistence/repositories/communication-keys.ts';
import { eventLoopTurn } from '../../protocols/mqtt/index.ts';
import { Bench, type ConnectOptions, type TestClient } from '../../protocols/mqtt/testing/test-core.ts';
import { NodeIds } from '../node-ids.ts';
import { ClusterPeers } from '../peers.ts';
import type { TakeoverPlace } from '../records.ts';
import { SealedFrames } from '../sealed-frames.ts';

/** One client of a node, with all it got so far. */
export class ClusterClient {
  readonly got: MqttPacket[] = [];
  readonly #client: TestClient;
  #packetId = 0;

  constructor(client: TestClient) {
    this.#client = client;
  }

  get closed(): boolean {
    return this.#client.closed;
  }

  send(packet: Uint8Array): void {
    this.#client.pipe.send(packet);
  }

  async until<Kind extends MqttPacket['kind']>(kind: Kind): Promise<MqttPacket & { readonly kind: Kind }> {
    let found: MqttPacket | undefined;
    await expect
      .poll(async () => {
        this.got.push(...(await this.#client.hear()));
        found = this.got.find((packet) => packet.kind === kind);
        return found?.kind;
      })
      .toBe(kind);
    this.got.splice(this.got.indexOf(found as MqttPacket), 1);
    return found as MqttPacket & { readonly kind: Kind };
  }

  async subscribe(text: string, qos: Qos = 1, options: Partial<SubscriptionRequest> = {}): Promise<void> {
    const entry = { text, qos, noLocal: false, retainAsPublished: false, retainHandling: 0, ...options } as const;
    this.send(encodeSubscribe({ packetId: ++this.#packetId, subscriptions: [entry] }, 5));
    await this.until('suback');
  }

  async publish(topic: string, payload: string, qos: 0 | 1 = 1, retain = false): Promise<void> {
    const packetId = qos === 0 ? 0 : ++this.#packetId;
    this.send(encodePublish({ topic, payload: Buffer.from(payload), qos, retain, packetId }, 5));
    if (qos === 1) await this.until('puback');
  }

  /** The next message: topic and payload. */
  async message(): Promise<string> {
    const { payload, topic } = await this.until('publish');
    return `${topic} ${Buffer.from(payload).toString()}`;
  }

  leave(): void {
    this.#client.pipe.drop();
  }
}

export interface BenchNode {
  readonly id: string;
  readonly bus: MemoryBus;
  readonly bench: Bench;
  readonly peers: ClusterPeers;
  readonly sessions: SqlSharedSessions;
  readonly takenOver: TakeoverPlace[];
}

const SECRET = new Uint8Array(32).fill(7);

/** Keys of messages that every node finds. */
function sharedKeys(): MessageKeys {
  const keys = new Map<number, Uint8Array>();
  return {
    async create() {
      const key = new Uint8Array(32).fill(keys.size + 1);
      keys.set(keys.size + 1, key);
      return { epoch: keys.size, key };
    },
    async find(_tenant, epoch) {
      return { epoch, key: keys.get(epoch) ?? new Uint8Array(0) };
    },
    async keepOnly() {},
  };
}

/** Cores on one store and one bus, in this process. */
export class ClusterBench {
  readonly nodes: BenchNode[] = [];
  readonly store: OpenStore;
  readonly #hub = new MemoryHub();
  readonly #keys = sharedKeys();

  static async start(count: number): Promise<ClusterBench> {
    const cluster = new ClusterBench(await openStore({ location: ':memory:', clock: systemClock }));
    for (let at = 0; at < count; at++) await cluster.add();
    await cluster.settled();
    return cluster;
  }

  private constructor(store: OpenStore) {
    this.store = store;
  }

  async add(): Promise<BenchNode> {
    const slot = this.nodes.length;
    const id = `${slot}`.padStart(32, '0');
    const { reader, store } = this.store;
    const sessions = new SqlSharedSessions({ reader, store, keys: this.#keys, log: silentLog });
    const takenOver: TakeoverPlace[] = [];
    const bus = this.#hub.connect();
    const peers = new ClusterPeers({
      nodeId: id,
      name: id,
      prefix: 'test',
      bus,
      frames: new SealedFrames(SECRET, Buffer.from(id, 'hex')),
      ids: new NodeIds(systemClock, slot),
      sessions,
      clock: systemClock,
      turn: eventLoopTurn,
      log: silentLog,
      fleet: { snapshot: () => [], heard: () => undefined, forget: () => undefined },
      onTakenOver: (previous) => takenOver.push(previous),
      onTakeover: () => undefined,
    });
    const bench = new Bench({ clock: systemClock, turn: eventLoopTurn, store: peers, peers, idPrefix: `${slot}-` });
    await bench.broker.start();
    await peers.start(bench.broker.peerSide);
    const node = { id, bus, bench, peers, sessions, takenOver };
    this.nodes.push(node);
    return node;
  }

  node(at: number): BenchNode {
    const node = this.nodes[at];
    if (node === undefined) throw new TypeError(`no node ${at}`);
    return node;
  }

  async connect(at: number, clientId: string, options: ConnectOptions = {}): Promise<ClusterClient> {
    const { client, heard } = await this.node(at).bench.connect(clientId, options);
    const connected = new ClusterClient(client);
    connected.got.push(...heard);
    return connected;
  }

  /** Until every node has heard of every other, and what was said has arrived. */
  async settled(): Promise<void> {
    await expect
      .poll(() => this.nodes.map(({ peers }) => peers.others.length))
      .toEqual(this.nodes.map(() => this.nodes.length - 1));
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => eventLoopTurn.defer(resolve));
  }

  async close(): Promise<void> {
    for (const { bench, peers } of this.nodes) {
      await bench.broker.close();
      peers.close();
    }
    await this.store.close();
  }
}
