import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fingerprint, importPrivateKeyPem } from '@holdfast/crypto';
import { equalBytes } from '@holdfast/kernel';
import { decodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { withFolder } from '../harness/brokers.ts';
import { type HoldfastServer, startHoldfast } from '../harness/holdfast-server.ts';
import { REPOSITORY } from '../harness/processes.ts';
import { Dice, type Soak, type SoakReport } from './soak.ts';

export interface StationPlan {
  readonly kills: number;
  readonly devices: number;
  readonly seed: number;
  readonly say?: (line: string) => void;
}

const MAIN = path.join(REPOSITORY, 'packages/cli/src/main.ts');
const FORMATS = 'pem,pkcs12,nvs,esp-secure-cert,c-header,label';
const LOOK_MS = 2;

/**
 * Kills a factory station again and again while it enrolls a batch, then lets it end.
 *
 * @returns what did not hold: a device with two certificates, files of another, or finished files that changed
 */
export async function besiegeStation(plan: StationPlan): Promise<SoakReport> {
  return withFolder(async (folder) => {
    const server = await startHoldfast({ dataFolder: path.join(folder, 'data') });
    try {
      await server.client.call('products.create', { body: { name: 'lamp', evidence: 'none' } });
      return await new StationSiege(folder, server, plan).run();
    } finally {
      await server.stop();
    }
  });
}

class StationSiege {
  readonly #folder: string;
  readonly #server: HoldfastServer;
  readonly #plan: StationPlan;
  readonly #dice: Dice;
  readonly #serials: readonly string[];
  readonly #finished = new Map<string, string>();
  readonly #faults: string[] = [];
  #killed = 0;
  #round = 0;

  constructor(folder: string, server: HoldfastServer, plan: StationPlan) {
    this.#folder = folder;
    this.#server = server;
    this.#plan = plan;
    this.#dice = new Dice(plan.seed);
    this.#serials = Array.from({ length: plan.devices }, (_, at) => `lamp-${at}`);
  }

  async run(): Promise<SoakReport> {
    const { kills, say, seed } = this.#plan;
    this.#newBatch();
    while (this.#killed < kills) {
      if (this.#done().length === this.#serials.length) {
        await this.#judgeBatch();
        this.#newBatch();
      }
      if (await this.#begin(this.#dice.below(3))) this.#killed += 1;
      this.#compareFinished();
      if (this.#killed % 50 === 0) say?.(`${this.#killed} kills, ${this.#round} batches`);
    }
    await this.#judgeBatch();
    return { facts: { seed, kills: this.#killed, batches: this.#round }, faults: this.#faults };
  }

  get #out(): string {
    return path.join(this.#folder, `out-${this.#round}`);
  }

  #name(serial: string): string {
    return `b${this.#round}-${serial}`;
  }

  #newBatch(): void {
    this.#round += 1;
    this.#finished.clear();
    const rows = this.#serials.map((serial) => `${this.#name(serial)},pilot`);
    writeFileSync(path.join(this.#folder, 'devices.csv'), `${['serial,groups', ...rows].join('\n')}\n`);
  }

  /** @param more - so many devices finished, then the kill; @returns whether it was killed */
  async #begin(more: number): Promise<boolean> {
    const target = this.#done().length + more;
    const child = this.#station();
    const ended = new Promise<boolean>((resolve) => child.once('exit', (_, signal) => resolve(signal === 'SIGKILL')));
    const isRunning = () => child.exitCode === null && child.signalCode === null;
    while (isRunning() && !(this.#isAtWork() && this.#done().length >= target)) await sleep(LOOK_MS);
    // Anywhere within the next device: its key, its request, its files.
    if (isRunning()) await sleep(this.#dice.below(30));
    child.kill('SIGKILL');
    return ended;
  }

  #station() {
    const args = [
      'identity',
      'enroll',
      '--product',
      'lamp',
      '--out',
      this.#out,
      '--format',
      FORMATS,
      '--parallel',
      '3',
    ];
    const batch = ['--batch', path.join(this.#folder, 'devices.csv'), '--data', path.join(this.#folder, 'data')];
    return spawn(process.execPath, [MAIN, ...args, ...batch], { stdio: 'ignore' });
  }

  #isAtWork(): boolean {
    return existsSync(path.join(this.#out, '.unfinished'));
  }

  #done(): readonly string[] {
    return this.#serials.map((serial) => this.#name(serial)).filter((name) => existsSync(path.join(this.#out, name)));
  }

  #compareFinished(): void {
    for (const name of this.#done()) {
      const now = contentOf(path.join(this.#out, name));
      const before = this.#finished.get(name);
      if (before !== undefined && before !== now) this.#fault(`the files of ${name} changed`);
      this.#finished.set(name, now);
    }
  }

  async #judgeBatch(): Promise<void> {
    const code = await new Promise((resolve) => this.#station().once('exit', resolve));
    if (code !== 0) this.#fault(`the last run ended with ${String(code)}`);
    this.#compareFinished();
    if (this.#isAtWork()) this.#fault('something unfinished is left');
    const manifest = readFileSync(path.join(this.#out, 'manifest.jsonl'), 'utf8').trimEnd().split('\n');
    const named = manifest.map((line) => (JSON.parse(line) as { readonly serial: string }).serial);
    if (named.join() !== this.#serials.map((serial) => this.#name(serial)).join()) this.#fault('the manifest is wrong');
    for (const serial of this.#serials) await this.#judgeDevice(this.#name(serial));
  }

  async #judgeDevice(name: string): Promise<void> {
    const read = (file: string) => readFileSync(path.join(this.#out, name, file), 'utf8');
    const { certificates, groups } = await this.#server.client.call('devices.show', { device: name });
    const der = decodePem(read('certificate.pem'), 'CERTIFICATE');
    const record = JSON.parse(read('device.json')) as {
      readonly files: readonly { readonly name: string; readonly sha256: string }[];
    };
    const isWhole = record.files.every(
      (file) => file.sha256 === hashOf(readFileSync(path.join(this.#out, name, file.name))),
    );
    const isOwn = equalBytes(importPrivateKeyPem(read('key.pem')).publicKey.spki, decodeCertificate(der).spki.raw);
    const isOnly = certificates.length === 1 && certificates[0]?.fingerprint === fingerprint(der);
    if (!isWhole || !isOwn || !isOnly || groups.join() !== 'pilot') {
      this.#fault(`${name}: ${JSON.stringify({ isWhole, isOwn, certificates: certificates.length, groups })}`);
    }
  }

  #fault(words: string): void {
    this.#faults.push(words);
    this.#plan.say?.(words);
  }
}

function contentOf(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort()) hash.update(`${name}\0`).update(readFileSync(path.join(folder, name)));
  return hash.digest('hex');
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export const stationKill: Soak = {
  name: 'station-kill',
  words: 'kill -9 of a factory station at any moment of a batch, begun again each time',
  run: (count = 200, seed, say) => besiegeStation({ kills: count, devices: 24, seed, say }),
};
