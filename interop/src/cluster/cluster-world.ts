import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ConnectOptions, MqttClient } from '../../../packages/server/src/protocols/gateway/testing/mqtt-client.ts';
import { ask } from '../../../packages/server/src/system/testing/https-ask.ts';
import {
  credentialOf,
  csrFor,
  type EnrolledDevice,
  issuedPem,
} from '../../../packages/server/src/system/testing/system.ts';
import { generatePrivateKey } from '@holdfast/crypto';
import { encodeBase64 } from '@holdfast/kernel';
import { HoldfastProcess } from '../world/holdfast-process.ts';
import { NatsServer } from '../world/nats-server.ts';
import { PostgresCluster } from '../world/postgres-cluster.ts';

const ROOT_KEY_BYTES = 32;

/** Three servers, one PostgreSQL, one NATS: processes of their own on free loopback ports. */
export class ClusterWorld {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'hf-'));
  readonly postgres: PostgresCluster;
  readonly nats: NatsServer;
  readonly #nodes = new Map<number, HoldfastProcess>();
  readonly #clients: MqttClient[] = [];
  readonly #store: string;

  static async start(): Promise<ClusterWorld> {
    const [postgres, nats] = await Promise.all([PostgresCluster.start(), NatsServer.start()]);
    const world = new ClusterWorld(postgres, nats);
    // The first makes the tables and the authority; the others find them.
    await world.up(0);
    await Promise.all([1, 2].map((at) => world.up(at)));
    return world;
  }

  private constructor(postgres: PostgresCluster, nats: NatsServer) {
    this.postgres = postgres;
    this.nats = nats;
    this.#store = postgres.create('fleet');
    writeFileSync(this.#rootKey, Buffer.alloc(ROOT_KEY_BYTES, 7).toString('hex'), { mode: 0o600 });
  }

  node(at: number): HoldfastProcess {
    const node = this.#nodes.get(at);
    if (node === undefined) throw new TypeError(`node ${at} is down`);
    return node;
  }

  /** Starts a node, again perhaps. */
  async up(at: number): Promise<void> {
    const flags = ['--store', this.#store, '--bus', this.nats.url, '--root-key', `file:${this.#rootKey}`];
    this.#nodes.set(at, await HoldfastProcess.start(this.#data(at), flags));
  }

  kill(at: number): void {
    this.node(at).signal('SIGKILL');
    this.#nodes.delete(at);
  }

  /** How many devices a node says are connected, to any of them. */
  async connected(at: number): Promise<number> {
    return (await this.node(at).api.call('status.show', {})).counts.connected;
  }

  async warnings(at: number): Promise<readonly string[]> {
    return (await this.node(at).api.call('status.show', {})).warnings.map(({ code }) => code);
  }

  /** A product, and a policy by which devices may say anything to each other. */
  async addProduct(): Promise<void> {
    const { api } = this.node(0);
    const Statement = [{ Effect: 'Allow', Action: 'iot:*', Resource: '*' }];
    const document = JSON.stringify({ Version: '2012-10-17', Statement });
    await api.call('policies.put', { policy: 'talk', body: { document } });
    const boot = { format: 'mcuboot', slotSize: 1_048_576 } as const;
    await api.call('products.create', { body: { name: 'lamp', evidence: 'none', boot } });
  }

  /** Enrolls at one node a device that is everybody's. */
  async enroll(serial: string, at = 0): Promise<EnrolledDevice> {
    const key = await generatePrivateKey('P-256');
    const claim = await this.node(at).api.call('claims.create', { body: { product: 'lamp', serials: [serial] } });
    const answer = await ask({
      port: this.node(at).ports.https,
      ca: this.#ca(at),
      method: 'POST',
      target: '/.well-known/est/simpleenroll',
      credential: credentialOf(claim),
      headers: { 'content-type': 'application/pkcs10' },
      body: encodeBase64(await csrFor({ key, serial })),
    });
    if (answer.status !== 200) throw new TypeError(`enrollment answered ${answer.status} ${answer.text}`);
    await this.node(at).api.call('policies.attach', { policy: 'talk', body: { kind: 'device', id: serial } });
    return { id: serial, key, keyPem: key.exportPem(), pem: issuedPem(answer) };
  }

  async connect(
    at: number,
    device: EnrolledDevice,
    options: Partial<Omit<ConnectOptions, 'port' | 'ca' | 'issued'>> = {},
  ): Promise<MqttClient> {
    const issued = device as unknown as ConnectOptions['issued'];
    const { mqtt: port } = this.node(at).ports;
    const client = await MqttClient.open({ port, ca: this.#ca(at), issued, clientId: device.id, ...options });
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.socket.destroy();
    await Promise.all([...this.#nodes.values()].map((node) => node.stop()));
    await this.nats.stop();
    await this.postgres.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #rootKey(): string {
    return path.join(this.folder, 'root-key');
  }

  #data(at: number): string {
    return path.join(this.folder, `${at}`);
  }

  #ca(at: number): string {
    return readFileSync(path.join(this.#data(at), 'root-ca.pem'), 'utf8');
  }
}
