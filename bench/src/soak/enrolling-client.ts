import { importPrivateKeyPem } from '@holdfast/crypto';
import {
  type DeviceIdentity,
  EstClient,
  FileKeyStore,
  HttpsClient,
  IdentityStore,
  MemoryStore,
  MqttConnection,
  provisionFleetDevice,
  recoverFleetDevice,
  type TlsCredentials,
} from '@holdfast/device';
import { systemClock } from '@holdfast/kernel';
import type { HoldfastServer } from '../harness/holdfast-server.ts';

export const PROTOCOLS = ['fleet-csr-json', 'fleet-csr-cbor', 'fleet-keys-json', 'est'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Where in its enrollment a client is; each is a moment to kill the server after. */
export const STEPS = ['begun', 'connected', 'asked', 'answered', 'enrolled'] as const;
export type Step = (typeof STEPS)[number];

export interface ClaimPem {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

const TIMEOUT_MS = 5000;

/** A device that enrolls, and asks again with the same key when it was not answered. */
export class EnrollingClient {
  readonly serial: string;
  readonly protocol: Protocol;
  readonly #identities: IdentityStore;
  identity: DeviceIdentity | undefined;

  constructor(serial: string, protocol: Protocol) {
    this.serial = serial;
    this.protocol = protocol;
    const store = new MemoryStore();
    this.#identities = new IdentityStore(store, new FileKeyStore(store));
  }

  /** @throws what the connection or the server ended it with */
  async enroll(server: HoldfastServer, anchor: string, claim: ClaimPem, onStep: (step: Step) => void): Promise<void> {
    const key = importPrivateKeyPem(claim.privateKeyPem);
    const credentials = { anchors: [anchor], certificatePem: claim.certificatePem, key };
    onStep('begun');
    this.identity =
      this.protocol === 'est'
        ? await this.#byEst(server, credentials, onStep)
        : await this.#byFleet(server, credentials, onStep);
    onStep('enrolled');
  }

  async #byFleet(
    server: HoldfastServer,
    credentials: TlsCredentials,
    onStep: (step: Step) => void,
  ): Promise<DeviceIdentity> {
    const { serial, protocol } = this;
    const connect = (shown: TlsCredentials): Promise<MqttConnection> =>
      MqttConnection.open({
        host: 'localhost',
        port: server.mqttPort,
        credentials: shown,
        clientId: serial,
        version: 5,
        clean: true,
        timeoutMs: TIMEOUT_MS,
        clock: systemClock,
      });
    const { anchors } = credentials;
    const known = await recoverFleetDevice((own) => connect({ anchors, ...own }), serial, this.#identities);
    if (known !== undefined) return known;
    const connection = await connect(credentials);
    onStep('connected');
    // Two requests, create and register: the moment after either is reported.
    const request = connection.request.bind(connection);
    connection.request = async (exchange) => {
      onStep('asked');
      const reply = await request(exchange);
      onStep('answered');
      return reply;
    };
    try {
      const format = protocol === 'fleet-csr-cbor' ? 'cbor' : 'json';
      const kind = protocol === 'fleet-keys-json' ? 'keys' : 'csr';
      return await provisionFleetDevice(connection, { format, key: kind, template: 'lamp', serial }, this.#identities);
    } finally {
      connection.close();
    }
  }

  async #byEst(
    server: HoldfastServer,
    credentials: TlsCredentials,
    onStep: (step: Step) => void,
  ): Promise<DeviceIdentity> {
    const https = new HttpsClient(credentials, systemClock, TIMEOUT_MS);
    try {
      const est = new EstClient(https, { host: 'localhost', port: server.httpsPort });
      onStep('asked');
      const reply = await est.enroll(this.serial, await this.#identities.pendingKey());
      onStep('answered');
      if (reply.kind !== 'issued') throw new Error('the server wants to be asked later');
      return await this.#identities.adopt(reply.certificatePem);
    } finally {
      https.close();
    }
  }
}
