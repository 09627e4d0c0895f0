import type { ApiClient, CallOutput } from '@holdfast/api';
import { importPrivateKeyPem } from '@holdfast/crypto';
import {
  BOARDS,
  type ClaimCredential,
  type DeviceIdentity,
  type EnrollmentPlan,
  FileKeyStore,
  IdentityStore,
  MemoryStore,
  MqttConnection,
  provisionFleetDevice,
  type ServerAddress,
  slotBytes,
} from '@holdfast/device';
import { type Clock, HoldfastError, systemClock } from '@holdfast/kernel';
import { ensureProduct, Factory } from '../factory/factory.ts';
import { type Firmware, loadFirmware } from './firmware.ts';
import { Hub, type HubRun } from './hub.ts';
import { RecordingRelay } from './relay.ts';
import { ServerProcess } from './server-process.ts';

export const PRODUCT = 'prime-hub';
export const GROUP = 'classroom';
const BOARD = 'stm32f4';
const HOST = 'localhost';

/** The release whose self-test fails on the device it is sent to. */
export const FAILING_VERSION = '7.29.0';

/** The devices of the story, and what each of them stands for. */
export const STORY_HUBS = {
  csr: { serial: 'hub-1', run: { mqttVersion: 5, transport: 'mqtt-cbor' } },
  keys: { serial: 'hub-2', run: { mqttVersion: 4, transport: 'mqtt-json' } },
  est: { serial: 'hub-3', run: { mqttVersion: 5, transport: 'https', selfTest: passesSelfTest } },
} as const;

function passesSelfTest(version: string): boolean {
  return version !== FAILING_VERSION;
}

export type StoryHub = keyof typeof STORY_HUBS;

/** What the trials play on: a server looked at from outside, a factory, devices, claims, and two taps on the wire. */
export class Stage {
  readonly clock: Clock = systemClock;
  readonly signal: AbortSignal;
  readonly server: ServerProcess;
  readonly client: ApiClient;
  readonly address: ServerAddress;
  readonly firmware: { readonly older: Firmware; readonly newer: Firmware };
  readonly factory: Factory;
  readonly relays: readonly RecordingRelay[];
  readonly hubs = new Map<string, Hub>();
  /** Claim keys, which the server showed once and must not have kept. */
  readonly claims: CallOutput<'claims.create'>[] = [];
  /** Signed images by version, as the factory got them. */
  readonly images = new Map<string, Uint8Array>();
  readonly #revision: string;

  /** @throws what keeps the server from starting, `cli.demo_firmware_missing` */
  static async open(dataFolder: string, signal: AbortSignal): Promise<Stage> {
    const firmware = await loadFirmware();
    const server = await ServerProcess.start(dataFolder, systemClock, signal);
    try {
      const { client } = server;
      const revision = await ensureProduct(client, PRODUCT, slotBytes(BOARDS[BOARD]));
      const { tenant } = await client.call('status.show', {});
      const plan = { client, tenant, product: PRODUCT, hardwareRevision: revision, board: BOARD } as const;
      const factory = await Factory.open(plan);
      const [mqttPort, httpsPort] = await Promise.all([server.port('mqtt'), server.port('https')]);
      const relays = await Promise.all([mqttPort, httpsPort].map((port) => RecordingRelay.start(port)));
      const address = { host: HOST, mqttPort, httpsPort };
      return new Stage({ server, signal, firmware, factory, relays, address, revision });
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  private constructor(parts: StageParts) {
    this.signal = parts.signal;
    this.server = parts.server;
    this.client = parts.server.client;
    this.address = parts.address;
    this.firmware = parts.firmware;
    this.factory = parts.factory;
    this.relays = parts.relays;
    this.#revision = parts.revision;
  }

  hub(serial: string): Hub {
    const hub = this.hubs.get(serial);
    if (hub === undefined) throw new HoldfastError('device.not_enrolled', { serial });
    return hub;
  }

  /** The address by way of the taps. */
  get tapped(): ServerAddress {
    const [mqtt, https] = this.relays;
    return { host: HOST, mqttPort: mqtt?.port ?? 0, httpsPort: https?.port ?? 0 };
  }

  image(version: string): Uint8Array {
    const image = this.images.get(version);
    if (image === undefined) throw new HoldfastError('update.unknown_release', { version });
    return image;
  }

  async claim(wish: {
    readonly serials?: string[];
    readonly quota?: number;
    readonly autoRegister: boolean;
  }): Promise<ClaimCredential> {
    const body = { product: PRODUCT, hardwareRevision: this.#revision, expiresInHours: 1, ...wish };
    const claim = await this.client.call('claims.create', { body });
    this.claims.push(claim);
    return claim;
  }

  /** Enrolls somebody who has a key and a certificate, and no device around them. */
  async enrollBare(claim: ClaimCredential, serial: string): Promise<DeviceIdentity> {
    const { clock, address, factory, signal } = this;
    const store = new MemoryStore();
    const identities = new IdentityStore(store, new FileKeyStore(store));
    const key = importPrivateKeyPem(claim.privateKeyPem);
    const credentials = { anchors: factory.trust.tlsAnchors, certificatePem: claim.certificatePem, key };
    const where = { host: address.host, port: address.mqttPort, credentials, clientId: serial, version: 5 } as const;
    const connection = await MqttConnection.open({ ...where, clean: true, clock }, signal);
    try {
      const plan = { format: 'json', key: 'csr', template: PRODUCT, serial } as const;
      return await provisionFleetDevice(connection, plan, identities);
    } finally {
      connection.close();
    }
  }

  /** A connection with a device's own certificate, for what its agent does not do by itself. */
  connectAs({ deviceId, certificatePem, key }: DeviceIdentity): Promise<MqttConnection> {
    const { address, clock, factory, signal } = this;
    const credentials = { anchors: factory.trust.tlsAnchors, certificatePem, key };
    const where = { host: address.host, port: address.mqttPort, credentials, clientId: deviceId, version: 5 } as const;
    return MqttConnection.open({ ...where, clean: true, clock }, signal);
  }

  /** Has a device made and registered; it is off. */
  async addHub(
    serial: string,
    version: string,
    { address = this.address, groups = [], ...run }: HubOrder,
  ): Promise<Hub> {
    const made = await this.factory.make({ serial, firmware: this.image(version), groups });
    const hub = new Hub(made, address, run);
    this.hubs.set(serial, hub);
    return hub;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.hubs.values()].map((hub) => hub.stop()));
    await Promise.all(this.relays.map((relay) => relay.close()));
    await this.server.stop();
  }
}

interface HubOrder extends HubRun {
  readonly address?: ServerAddress;
  readonly groups?: readonly string[];
}

interface StageParts extends Pick<Stage, 'server' | 'signal' | 'firmware' | 'factory' | 'relays' | 'address'> {
  readonly revision: string;
}

/** How each of the three gets its certificate. */
export function enrollmentOf(kind: StoryHub, claim: ClaimCredential): EnrollmentPlan {
  if (kind === 'est') return { kind: 'est', claim };
  return { kind: 'fleet', claim, format: kind === 'csr' ? 'json' : 'cbor', key: kind };
}
