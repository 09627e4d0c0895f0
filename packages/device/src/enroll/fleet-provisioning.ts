import { createCsr, importPrivateKeyPem } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import {
  type AwsFormat,
  type AwsIotRequest,
  awsIotTopic,
  awsReplyTopics,
  type CertificateReply,
  decodeCertificateReply,
  decodeProvisioningRejection,
  decodeRegisterThingReply,
  encodeAwsPayload,
  encodeProvisioning,
} from '@holdfast/wire/aws-iot';
import { encodePem } from '@holdfast/wire/pem';
import { type DeviceKey, signerOf } from '../keys/key-store.ts';
import type { MqttConnection } from '../net/mqtt-connection.ts';
import type { DeviceIdentity, IdentityStore } from '../store/identity-store.ts';

export interface ProvisioningPlan {
  readonly format: AwsFormat;
  /** `csr`: the key is made here and stays; `keys`: the server makes it, for devices that cannot. */
  readonly key: 'csr' | 'keys';
  readonly template: string;
  readonly serial: string;
  /** Added to `SerialNumber`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/**
 * AWS fleet provisioning by claim, on a connection made with the claim's certificate.
 *
 * @throws `device.enrollment_rejected` with the server's code
 */
export async function provisionFleetDevice(
  connection: MqttConnection,
  plan: ProvisioningPlan,
  identities: IdentityStore,
): Promise<DeviceIdentity> {
  const ask = new ProvisioningRequests(connection, plan);
  const issued = plan.key === 'csr' ? await ask.certificateFor(identities) : await ask.certificateAndKey(identities);
  const thing = await ask.register(issued.certificateOwnershipToken);
  return identities.adopt(issued.certificatePem, thing);
}

/**
 * Ends a provisioning whose last answer was lost: when the server lets the device in with what it was given, it is
 * registered. An ownership token would not help, it is worth nothing on another connection.
 *
 * @param connect - connects under the device's name
 * @returns undefined when nothing was given, or it was never registered
 */
export async function recoverFleetDevice(
  connect: (credential: { readonly certificatePem: string; readonly key: DeviceKey }) => Promise<MqttConnection>,
  serial: string,
  identities: IdentityStore,
): Promise<DeviceIdentity | undefined> {
  const certificatePem = identities.pendingCertificate();
  if (certificatePem === undefined) return undefined;
  try {
    (await connect({ certificatePem, key: await identities.pendingKey() })).close();
  } catch (error) {
    if (HoldfastError.is(error, 'device.connection_refused')) return undefined;
    throw error;
  }
  return identities.adopt(certificatePem, serial);
}

class ProvisioningRequests {
  readonly #connection: MqttConnection;
  readonly #plan: ProvisioningPlan;

  constructor(connection: MqttConnection, plan: ProvisioningPlan) {
    this.#connection = connection;
    this.#plan = plan;
  }

  async certificateFor(identities: IdentityStore): Promise<CertificateReply> {
    const { format, serial } = this.#plan;
    const key = await identities.pendingKey();
    const csr = await createCsr({ subject: [{ type: 'commonName', value: serial }] }, signerOf(key));
    const request = { certificateSigningRequest: encodePem('CERTIFICATE REQUEST', csr) };
    const reply = await this.#ask({ kind: 'create-from-csr', format }, encodeProvisioning(format, request));
    return decodeCertificateReply(format, reply);
  }

  async certificateAndKey(identities: IdentityStore): Promise<CertificateReply> {
    const { format } = this.#plan;
    const reply = decodeCertificateReply(
      format,
      await this.#ask({ kind: 'create-keys', format }, encodeAwsPayload(format, {})),
    );
    if (reply.privateKey === undefined) throw new HoldfastError('device.enrollment_rejected', { reason: 'no key' });
    await identities.replacePendingKey(importPrivateKeyPem(reply.privateKey), reply.certificatePem);
    return reply;
  }

  /** @returns the thing name */
  async register(certificateOwnershipToken: string): Promise<string> {
    const { format, template, serial, parameters = {} } = this.#plan;
    const request = { certificateOwnershipToken, parameters: { ...parameters, SerialNumber: serial } };
    const reply = await this.#ask({ kind: 'register-thing', template, format }, encodeProvisioning(format, request));
    return decodeRegisterThingReply(format, reply).thingName;
  }

  /** AWS sends these replies through its broker, so they are subscribed to first. */
  async #ask(request: AwsIotRequest, payload: Uint8Array): Promise<Uint8Array> {
    const topics = awsReplyTopics(request);
    const { format } = this.#plan;
    await this.#connection.subscribe([topics.accepted, topics.rejected], 1);
    try {
      return await this.#connection.request({
        topic: awsIotTopic(request),
        payload,
        ...topics,
        readRejection: (reply) => decodeProvisioningRejection(format, reply).errorCode,
      });
    } catch (error) {
      if (!HoldfastError.is(error, 'device.request_rejected')) throw error;
      throw new HoldfastError('device.enrollment_rejected', error.details, { cause: error });
    }
  }
}
