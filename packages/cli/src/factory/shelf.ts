import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ApiProblem, type Status } from '@holdfast/api';
import {
  type AgentEvent,
  type ClaimCredential,
  type EnrollmentPlan,
  FileKeyStore,
  FileStore,
  IdentityStore,
  openDevice,
  runVirtualDevice,
  type ServerAddress,
} from '@holdfast/device';
import { encodeHex, HoldfastError, systemRandom } from '@holdfast/kernel';
import { decodeCertificate } from '@holdfast/wire/x509';
import { lockDevice } from './device-lock.ts';
import { type Factory, type FactoryPlan, register } from './factory.ts';

const ANYWHERE = new Set(['127.0.0.1', '0.0.0.0', '::', '::1']);

export interface ShelfRun {
  readonly plan: (claim: ClaimCredential) => EnrollmentPlan;
  readonly onEvent: (event: AgentEvent) => void;
  readonly listeners: Status['listeners'];
}

/** A folder of virtual devices, each in a folder of its own named after its serial number. */
export class DeviceShelf {
  readonly #plan: FactoryPlan;
  readonly #folder: string;

  constructor(plan: FactoryPlan, folder: string) {
    this.#plan = plan;
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Devices of this product, by name. */
  serials(): readonly string[] {
    const entries = readdirSync(this.#folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return entries
      .map(({ name }) => name)
      .filter((name) => existsSync(path.join(this.#folder, name, 'device.json')))
      .filter((name) => this.#productOf(name) === this.#plan.product)
      .sort();
  }

  /** @returns the serial number of a new device */
  async make(factory: Factory, firmware: Uint8Array): Promise<string> {
    const serial = `${this.#plan.product}-${encodeHex(systemRandom.bytes(4))}`;
    const { device } = await factory.make({ serial, firmware, folder: path.join(this.#folder, serial) });
    device.close();
    return serial;
  }

  /**
   * Runs a device until the signal; what an interruption left undone before its enrollment is done now.
   *
   * @throws `cli.device_in_use`, and what ends the device
   */
  async run(serial: string, run: ShelfRun, signal: AbortSignal): Promise<void> {
    const folder = path.join(this.#folder, serial);
    const lock = lockDevice(folder);
    try {
      await this.#live(serial, folder, run, signal);
    } finally {
      lock.release();
    }
  }

  async #live(serial: string, folder: string, { plan, onEvent, listeners }: ShelfRun, signal: AbortSignal) {
    const enrollment = (await this.#isEnrolled(folder)) ? undefined : plan(await this.#admit(serial, folder));
    const run = { device: folder, server: addressOf(listeners), onEvent };
    await runVirtualDevice(enrollment === undefined ? run : { ...run, enrollment }, signal);
  }

  async #isEnrolled(folder: string): Promise<boolean> {
    const store = new FileStore(folder);
    return (await new IdentityStore(store, new FileKeyStore(store)).load()) !== undefined;
  }

  /** A claim for one device, which is in the registry by then. */
  async #admit(serial: string, folder: string): Promise<ClaimCredential> {
    const { client, product } = this.#plan;
    try {
      await client.call('devices.show', { device: serial });
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.problem.status !== 404) throw error;
      await this.#registerAgain(folder);
    }
    return client.call('claims.create', {
      body: { product, serials: [serial], autoRegister: false, expiresInHours: 1 },
    });
  }

  /** The anchor is the last certificate of what the device boots with. */
  async #registerAgain(folder: string): Promise<void> {
    const { device, profile } = openDevice(folder);
    try {
      const anchor = device.boot().attester.chain.at(-1);
      if (anchor === undefined) throw new HoldfastError('device.folder_damaged', { folder });
      await register(this.#plan, { ...profile, anchor: decodeCertificate(anchor).spki.raw, groups: [] });
    } finally {
      device.close();
    }
  }

  #productOf(name: string): string {
    const { device, profile } = openDevice(path.join(this.#folder, name));
    device.close();
    return profile.product;
  }
}

/** Where the server's devices connect; its certificate always names localhost. */
function addressOf(listeners: Status['listeners']): ServerAddress {
  const find = (name: string) => listeners.find((listener) => listener.name === name);
  const mqtt = find('mqtt');
  const address = mqtt?.address ?? '127.0.0.1';
  const host = ANYWHERE.has(address) ? 'localhost' : address;
  return { host, mqttPort: mqtt?.port ?? 0, httpsPort: find('https')?.port ?? 0 };
}
