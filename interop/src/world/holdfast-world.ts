import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient, Execution } from '@holdfast/api';
import { generatePrivateKey, importPrivateKeyPem } from '@holdfast/crypto';
import { EstClient, HttpsClient } from '@holdfast/device';
import { seededRandom, systemClock } from '@holdfast/kernel';
import { succeed } from './run-tool.ts';
import { HoldfastProcess, type HoldfastPorts } from './holdfast-process.ts';

/** The name every listener's certificate has. */
export const HOST = 'localhost';

/** A certificate with its key, as PEM and as the files that command-line tools want. */
export interface Credential {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface EnrolledDevice extends Credential {
  readonly deviceId: string;
}

/** Products that differ in what an update's success rests on. */
export const PRODUCTS = { believed: 'believed', proven: 'proven' } as const;

const FIRMWARE_BYTES = 20_000;
const ATTEMPTS = 100;
const PAUSE_MS = 50;

/** A fresh server with two products, and everything a stranger needs to meet it. */
export class HoldfastWorld {
  /** Scratch space; gone when the world closes. */
  readonly folder: string;
  readonly rootFile: string;
  readonly rootPem: string;
  readonly #server: HoldfastProcess;
  #count = 0;

  static async open(): Promise<HoldfastWorld> {
    const folder = mkdtempSync(path.join(tmpdir(), 'hf-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    try {
      const server = await HoldfastProcess.start(path.join(folder, 'data'));
      const world = new HoldfastWorld(folder, server);
      await world.api.call('products.create', { body: { name: PRODUCTS.believed, evidence: 'none' } });
      await world.api.call('products.create', { body: { name: PRODUCTS.proven } });
      return world;
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(folder: string, server: HoldfastProcess) {
    this.folder = folder;
    this.#server = server;
    this.rootFile = path.join(folder, 'data', 'root-ca.pem');
    this.rootPem = readFileSync(this.rootFile, 'utf8');
  }

  get api(): ApiClient {
    return this.#server.api;
  }

  get ports(): HoldfastPorts {
    return this.#server.ports;
  }

  /** What the server wrote to its log. */
  get log(): string {
    return this.#server.log;
  }

  /** A folder of its own for one stranger. */
  scratch(name: string): string {
    const folder = path.join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** A serial number nobody had before. */
  newSerial(prefix: string): string {
    return `${prefix}-${++this.#count}`;
  }

  /** A claim that may register this serial number alone. */
  async claimFor(serial: string, product: string = PRODUCTS.believed): Promise<Credential> {
    const made = await this.api.call('claims.create', { body: { product, serials: [serial] } });
    return this.keep(`claim-${serial}`, made.certificatePem, made.privateKeyPem);
  }

  /** Writes a credential to files. */
  keep(name: string, certificatePem: string, privateKeyPem: string): Credential {
    const folder = this.scratch('credentials');
    const [certificateFile, keyFile] = [path.join(folder, `${name}.crt`), path.join(folder, `${name}.key`)];
    writeFileSync(certificateFile, certificatePem);
    writeFileSync(keyFile, privateKeyPem, { mode: 0o600 });
    return { certificatePem, privateKeyPem, certificateFile, keyFile };
  }

  /** Certificates of `keep` whose name begins so: name and PEM. */
  kept(prefix: string): readonly (readonly [string, string])[] {
    const folder = this.scratch('credentials');
    const files = readdirSync(folder).filter((file) => file.startsWith(prefix) && file.endsWith('.crt'));
    return files.map((file) => [path.basename(file, '.crt'), readFileSync(path.join(folder, file), 'utf8')]);
  }

  /** A device that enrolled with our own client, for strangers that speak something else. */
  async enroll(prefix: string, product: string = PRODUCTS.believed): Promise<EnrolledDevice> {
    const serial = this.newSerial(prefix);
    const claim = await this.claimFor(serial, product);
    const https = new HttpsClient(
      {
        anchors: [this.rootPem],
        certificatePem: claim.certificatePem,
        key: importPrivateKeyPem(claim.privateKeyPem),
      },
      systemClock,
    );
    try {
      const key = await generatePrivateKey('P-256');
      const reply = await new EstClient(https, { host: HOST, port: this.ports.https }).enroll(serial, key);
      if (reply.kind !== 'issued') throw new Error(`the server asks to wait ${reply.retryAfterSeconds} s`);
      return { deviceId: serial, ...this.keep(serial, reply.certificatePem, key.exportPem()) };
    } finally {
      https.close();
    }
  }

  /** Publishes new firmware and sends it to one device. @returns the id of the release's version. */
  async sendFirmware(product: string, deviceId: string): Promise<string> {
    const octets = seededRandom(++this.#count).bytes(FIRMWARE_BYTES);
    const { id: artifactId } = await this.api.call('artifacts.upload', { octets });
    const version = `1.0.${this.#count}`;
    const release = await this.api.call('releases.create', {
      body: { product, version, securityCounter: 0, artifactId },
    });
    await this.api.call('rollouts.create', { body: { releaseId: release.id, devices: [deviceId] } });
    return version;
  }

  /** The server's view of the newest job of a device. */
  async newestExecution(deviceId: string): Promise<Execution> {
    const { rows } = await this.api.call('devices.executions', { device: deviceId });
    const [newest] = rows.toSorted((a, b) => b.queuedAt.localeCompare(a.queuedAt));
    if (newest === undefined) throw new Error(`no job of ${deviceId}`);
    return newest;
  }

  /** Waits until the server sees a device connected, or gone. */
  async untilPresent(device: string, connected: boolean): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { presence } = await this.api.call('devices.show', { device });
      if (presence.connected === connected) return;
      await sleep(PAUSE_MS);
    }
    throw new Error(`${device} is still ${connected ? 'not connected' : 'connected'}`);
  }

  /** Waits until the published revocation list names a certificate. */
  async untilRevoked(certificateFile: string): Promise<void> {
    const certificate = new X509Certificate(readFileSync(certificateFile));
    const serial = Buffer.from(certificate.serialNumber, 'hex');
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const list = await this.fetchCrl(certificateFile);
      if (list.includes(serial)) return;
      await sleep(PAUSE_MS);
    }
    throw new Error('the revocation list does not name it');
  }

  /** The revocation list that a certificate points at, DER. */
  async fetchCrl(certificateFile: string): Promise<Buffer> {
    const text = await succeed('openssl', ['x509', '-in', certificateFile, '-noout', '-ext', 'crlDistributionPoints']);
    const [url] = /http:\S+/.exec(text.toString()) ?? [];
    if (url === undefined) throw new Error('the certificate points at no revocation list');
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  }

  async close(): Promise<void> {
    await this.#server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
