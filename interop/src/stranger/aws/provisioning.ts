import type { iotidentity } from 'aws-iot-device-sdk-v2';
import { type AwsLink, loadSdk } from './aws-link.ts';
import { callService } from './service-calls.ts';

/** Which of the SDK's two generations of service clients. */
export type Generation = 'v1' | 'v2';

/** Fleet provisioning, whichever generation asks. */
export interface Provisioning {
  readonly fromCsr: (csrPem: string) => Promise<iotidentity.model.CreateCertificateFromCsrResponse>;
  readonly withKeys: () => Promise<iotidentity.model.CreateKeysAndCertificateResponse>;
  readonly register: (request: Registering) => Promise<iotidentity.model.RegisterThingResponse>;
  readonly close: () => void;
}

interface Registering {
  readonly templateName: string;
  readonly certificateOwnershipToken: string;
  readonly parameters: Record<string, string>;
}

export async function provisioningOf(link: AwsLink, generation: Generation): Promise<Provisioning> {
  return generation === 'v1' ? await firstGeneration(link) : await secondGeneration(link);
}

async function firstGeneration(link: AwsLink): Promise<Provisioning> {
  const { iotidentity, mqtt } = await loadSdk();
  const { IotIdentityClient } = iotidentity;
  const client =
    link.protocol === '5' ? IotIdentityClient.newFromMqtt5Client(link.client) : new IotIdentityClient(link.connection);
  const qos = mqtt.QoS.AtLeastOnce;
  return {
    fromCsr: (certificateSigningRequest) =>
      callService({
        accepted: (handler) => client.subscribeToCreateCertificateFromCsrAccepted({}, qos, handler),
        rejected: (handler) => client.subscribeToCreateCertificateFromCsrRejected({}, qos, handler),
        publish: () => client.publishCreateCertificateFromCsr({ certificateSigningRequest }, qos),
      }),
    withKeys: () =>
      callService({
        accepted: (handler) => client.subscribeToCreateKeysAndCertificateAccepted({}, qos, handler),
        rejected: (handler) => client.subscribeToCreateKeysAndCertificateRejected({}, qos, handler),
        publish: () => client.publishCreateKeysAndCertificate({}, qos),
      }),
    register: (request) =>
      callService({
        accepted: (handler) => client.subscribeToRegisterThingAccepted(request, qos, handler),
        rejected: (handler) => client.subscribeToRegisterThingRejected(request, qos, handler),
        publish: () => client.publishRegisterThing(request, qos),
      }),
    close: () => undefined,
  };
}

async function secondGeneration(link: AwsLink): Promise<Provisioning> {
  const { IotIdentityClientv2 } = (await loadSdk()).iotidentity;
  const options = { maxRequestResponseSubscriptions: 6, maxStreamingSubscriptions: 2, operationTimeoutInSeconds: 20 };
  const client =
    link.protocol === '5'
      ? IotIdentityClientv2.newFromMqtt5(link.client, options)
      : IotIdentityClientv2.newFromMqtt311(link.connection, options);
  return {
    fromCsr: (certificateSigningRequest) => client.createCertificateFromCsr({ certificateSigningRequest }),
    withKeys: () => client.createKeysAndCertificate({}),
    register: (request) => client.registerThing(request),
    close: () => client.close(),
  };
}
