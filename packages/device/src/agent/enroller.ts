import { importPrivateKeyPem } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { EstClient, type EstReply } from '../enroll/est-client.ts';
import { provisionFleetDevice, recoverFleetDevice } from '../enroll/fleet-provisioning.ts';
import { delay } from '../net/backoff.ts';
import { HttpsClient } from '../net/https-client.ts';
import { MqttConnection } from '../net/mqtt-connection.ts';
import type { TlsCredentials } from '../net/tls-options.ts';
import type { DeviceIdentity, IdentityStore } from '../store/identity-store.ts';
import type { DeviceRecords } from './device-records.ts';
import type { AgentOptions, ClaimCredential, EnrollmentPlan } from './settings.ts';

/** Gets the device its first certificate, and each one after it. */
export class Enroller {
  readonly #options: AgentOptions;
  readonly #identities: IdentityStore;
  readonly #records: DeviceRecords;
  readonly #anchors: readonly string[];
  readonly #replyMs: number;

  constructor(options: AgentOptions, identities: IdentityStore, records: DeviceRecords, replyMs: number) {
    this.#options = options;
    this.#identities = identities;
    this.#records = records;
    this.#anchors = records.trust().tlsAnchors;
    this.#replyMs = replyMs;
  }

  /** @throws `device.not_enrolled` without a plan, `device.enrollment_rejected`, and what connecting throws */
  async enroll(signal: AbortSignal): Promise<DeviceIdentity> {
    const { enrollment } = this.#options;
    if (enrollment === undefined) throw new HoldfastError('device.not_enrolled');
    return enrollment.kind === 'est' ? this.#byEst(enrollment, signal) : this.#byFleet(enrollment, signal);
  }

  /** A new key and certificate; the old ones stay in use until the new ones are safe. */
  async renew(current: DeviceIdentity, signal: AbortSignal): Promise<DeviceIdentity> {
    const { certificatePem, key } = current;
    const proof = () => this.#records.ratchet.proof();
    const pem = await this.#withEst(
      { anchors: this.#anchors, certificatePem, key, proof },
      undefined,
      signal,
      async (est) => est.renew(current.certificate, await this.#identities.pendingKey(), signal),
    );
    return this.#identities.adopt(pem, current.deviceId);
  }

  async #byFleet(plan: EnrollmentPlan & { readonly kind: 'fleet' }, signal: AbortSignal): Promise<DeviceIdentity> {
    const { serial, product } = this.#options.profile;
    const connect = (credentials: TlsCredentials) => this.#connect(credentials, signal);
    const anchors = this.#anchors;
    const known = await recoverFleetDevice((own) => connect({ anchors, ...own }), serial, this.#identities);
    if (known !== undefined) return known;
    const connection = await connect(this.#claimCredentials(plan.claim));
    try {
      const { format, key, template = product, parameters = {} } = plan;
      return await provisionFleetDevice(connection, { format, key, template, serial, parameters }, this.#identities);
    } finally {
      connection.close();
    }
  }

  /** Under the device's name, as it will be called: with a claim too, as stock clients do. */
  #connect(credentials: TlsCredentials, signal: AbortSignal): Promise<MqttConnection> {
    const { server, profile, mqttVersion, clock } = this.#options;
    return MqttConnection.open(
      {
        host: server.host,
        port: server.mqttPort,
        credentials,
        clientId: profile.serial,
        version: mqttVersion,
        clean: true,
        timeoutMs: this.#replyMs,
        clock,
      },
      signal,
    );
  }

  async #byEst(
    { claim, label }: EnrollmentPlan & { readonly kind: 'est' },
    signal: AbortSignal,
  ): Promise<DeviceIdentity> {
    const { serial } = this.#options.profile;
    const pem = await this.#withEst(this.#claimCredentials(claim), label, signal, async (est) =>
      est.enroll(serial, await this.#identities.pendingKey(), signal),
    );
    return this.#identities.adopt(pem);
  }

  /** Repeats the same request as long as the server says that it is not decided (RFC 7030 4.2.3). */
  async #withEst(
    credentials: TlsCredentials,
    label: string | undefined,
    signal: AbortSignal,
    ask: (est: EstClient) => Promise<EstReply>,
  ): Promise<string> {
    const { server, clock } = this.#options;
    const https = new HttpsClient(credentials, clock, this.#replyMs);
    const where = { host: server.host, port: server.httpsPort, ...(label === undefined ? {} : { label }) };
    const est = new EstClient(https, where);
    try {
      for (;;) {
        const reply = await ask(est);
        if (reply.kind === 'issued') return reply.certificatePem;
        await delay(clock, reply.retryAfterSeconds * 1000, signal);
        if (signal.aborted) throw new HoldfastError('kernel.aborted');
      }
    } finally {
      https.close();
    }
  }

  #claimCredentials({ certificatePem, privateKeyPem }: ClaimCredential): TlsCredentials {
    return { anchors: this.#anchors, certificatePem, key: importPrivateKeyPem(privateKeyPem) };
  }
}
