import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ApiProblem, type ApiClient, type CallInput, type CreatedClaim } from '@holdfast/api';
import { createCsr, createSigner, generatePrivateKey, type PrivateKey } from '@holdfast/crypto';
import { createLog, encodeBase64, type LogRecord } from '@holdfast/kernel';
import { decodeCertsOnly } from '@holdfast/wire/cms';
import { encodePem } from '@holdfast/wire/pem';
import { type RunningServer, type ServerPorts, startServer } from '../../compose.ts';
import { loadConfig } from '../../config/index.ts';
import type { Issued } from '../../testing/test-authority.ts';
import { type ConnectOptions, MqttClient } from '../../protocols/gateway/testing/mqtt-client.ts';
import { ask, type HttpAnswer, type HttpsAsk } from './https-ask.ts';
import { socketClient } from './socket-client.ts';
import { ShiftedClock } from './shifted-clock.ts';

/** What TLS shows of a client: its key and its certificate. */
export interface Credential {
  readonly keyPem: string;
  readonly pem: string;
}

export interface EnrolledDevice extends Credential {
  readonly id: string;
  readonly key: PrivateKey;
}

export type ListenerName = 'mqtt' | 'https' | 'mux' | 'enrollment' | 'public' | 'management';

const FREE_PORTS = {
  portMqtt: '0',
  portHttps: '0',
  portMux: '0',
  portManagement: '0',
  portPublic: '0',
  portEnroll: '0',
};

/** The whole product in this process, on free ports and a fresh folder; tests reach it through sockets alone. */
export class TestSystem {
  readonly clock = new ShiftedClock();
  readonly folder: string;
  readonly logged: LogRecord[] = [];
  readonly api: ApiClient;
  readonly #ports = new Map<string, number>();
  readonly #clients: MqttClient[] = [];
  #server: RunningServer | undefined;

  static async start(
    flags: Readonly<Record<string, unknown>> = {},
    ports: Pick<ServerPorts, 'random' | 'keyEngines'> = {},
  ): Promise<TestSystem> {
    const system = new TestSystem(mkdtempSync(path.join(tmpdir(), 'holdfast-system-')));
    await system.start(flags, ports);
    return system;
  }

  private constructor(folder: string) {
    this.folder = folder;
    this.api = socketClient(() => path.join(this.data, 'holdfast.sock'));
  }

  get data(): string {
    return path.join(this.folder, 'data');
  }

  get server(): RunningServer {
    if (this.#server === undefined) throw new TypeError('the server does not run');
    return this.#server;
  }

  /** PEM of the root that devices trust. */
  get ca(): string {
    return readFileSync(this.server.rootCertificatePath, 'utf8');
  }

  async start(
    flags: Readonly<Record<string, unknown>> = {},
    ports: Pick<ServerPorts, 'random' | 'keyEngines'> = {},
  ): Promise<void> {
    const given = { data: this.data, enrollListen: true, ...FREE_PORTS, ...flags };
    const { config } = loadConfig({ environment: {}, flags: given });
    const log = createLog((record) => this.logged.push(record), 'debug');
    this.#server = await startServer(config, { clock: this.clock, log, ...ports });
    this.#ports.clear();
    for (const { name, port } of (await this.#server.status()).listeners) this.#ports.set(name, port);
  }

  port(name: ListenerName): number {
    const port = this.#ports.get(name);
    if (port === undefined) throw new TypeError(`no listener ${name} but ${[...this.#ports.keys()].join()}`);
    return port;
  }

  /** Stops the server, and starts it again on the same folder when asked to. */
  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.socket.destroy();
    await this.#server?.close();
    this.#server = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async addProduct(name: string, evidence: 'required' | 'none' = 'none', slotSize = 1_048_576): Promise<void> {
    await this.api.call('products.create', { body: { name, evidence, boot: { format: 'mcuboot', slotSize } } });
  }

  /** Uploads firmware, has it signed, and starts a rollout to these devices. @returns the job each of them has */
  async rollOut(
    { product, version }: { readonly product: string; readonly version: string },
    firmware: Uint8Array,
    devices: readonly string[],
  ): Promise<string> {
    const { id: artifactId } = await this.api.call('artifacts.upload', { octets: firmware });
    const body = { product, version, securityCounter: 2, artifactId };
    const { id: releaseId } = await this.api.call('releases.create', { body });
    const rollout = await this.api.call('rollouts.create', { body: { releaseId, devices: [...devices] } });
    const shown = await this.api.call('rollouts.show', { rollout: rollout.id });
    const [execution] = shown.executions;
    if (execution === undefined) throw new TypeError('the rollout reached nobody');
    return execution.jobId;
  }

  addClaim(body: Partial<CallInput<'claims.create'>['body']> & { readonly product: string }): Promise<CreatedClaim> {
    const bounds = body.serials === undefined && body.quota === undefined ? { quota: 10 } : {};
    return this.api.call('claims.create', { body: { ...bounds, ...body } });
  }

  /** Enrolls a device over EST with a claim of its own. */
  async enroll(serial: string, product = 'lamp'): Promise<EnrolledDevice> {
    const key = await generatePrivateKey('P-256');
    const claim = await this.addClaim({ product, serials: [serial] });
    const answer = await this.est('simpleenroll', credentialOf(claim), await csrFor({ key, serial }));
    if (answer.status !== 200) throw new TypeError(`enrollment answered ${answer.status} ${answer.text}`);
    return { id: serial, key, keyPem: key.exportPem(), pem: issuedPem(answer) };
  }

  est(operation: string, credential: Credential, csr: Uint8Array, tls: HttpsAsk['tls'] = {}): Promise<HttpAnswer> {
    return this.https('POST', `/.well-known/est/${operation}`, {
      credential,
      tls,
      headers: { 'content-type': 'application/pkcs10' },
      body: encodeBase64(csr),
    });
  }

  https(
    method: string,
    target: string,
    options: Partial<Omit<HttpsAsk, 'port' | 'ca' | 'method' | 'target'>> & { readonly port?: number } = {},
  ): Promise<HttpAnswer> {
    return ask({ port: this.port('https'), ca: this.ca, method, target, ...options });
  }

  /** Connects over MQTT under the device's name unless told otherwise. */
  async mqtt(
    credential: Credential | undefined,
    options: Partial<Omit<ConnectOptions, 'issued' | 'port' | 'ca'>> & { readonly id?: string } = {},
  ): Promise<MqttClient> {
    const { id = '', ...rest } = options;
    // The client needs no more of what was issued than key and certificate.
    const issued = credential as Issued | undefined;
    const client = await MqttClient.open({ port: this.port('mqtt'), ca: this.ca, issued, clientId: id, ...rest });
    this.#clients.push(client);
    return client;
  }

  async code(call: Promise<unknown>): Promise<string> {
    return call.then(
      () => 'done',
      (error: unknown) => (error instanceof ApiProblem ? error.problem.code : String(error)),
    );
  }

  async actions(subject?: string): Promise<readonly string[]> {
    const query = { limit: 1000, ...(subject === undefined ? {} : { subject }) };
    return (await this.api.call('audit.list', { query })).rows.map(({ action }) => action);
  }
}

export const credentialOf = (claim: CreatedClaim): Credential => ({
  keyPem: claim.privateKeyPem,
  pem: claim.certificatePem,
});

export async function csrFor(wish: { readonly key: PrivateKey; readonly serial: string }): Promise<Uint8Array> {
  const subject = [
    { type: 'commonName', value: wish.serial },
    { type: 'serialNumber', value: wish.serial },
  ] as const;
  return createCsr({ subject }, createSigner(wish.key));
}

/** The certificate in the answer of EST (RFC 7030 4.2.3), as PEM. */
export function issuedPem({ text }: HttpAnswer): string {
  const [certificate] = decodeCertsOnly(new Uint8Array(Buffer.from(text, 'base64')));
  if (certificate === undefined) throw new TypeError('no certificate was issued');
  return encodePem('CERTIFICATE', certificate);
}
