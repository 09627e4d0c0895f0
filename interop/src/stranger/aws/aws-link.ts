import { once } from 'node:events';
import type { mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';
import { type Credential, HOST, type HoldfastWorld } from '../../world/holdfast-world.ts';

export type AwsProtocol = '3.1.1' | '5';

/** A connection of the SDK's, with either of its two MQTT clients. */
export type AwsLink =
  | { readonly protocol: '3.1.1'; readonly connection: mqtt.MqttClientConnection; readonly close: () => Promise<void> }
  | { readonly protocol: '5'; readonly client: mqtt5.Mqtt5Client; readonly close: () => Promise<void> };

/** Loaded when it is met and not before: it brings native code. */
export async function loadSdk() {
  const loaded = await import('aws-iot-device-sdk-v2');
  return loaded.default;
}

/** Connects with a certificate, as the SDK's samples do. */
export async function connectAws(
  world: HoldfastWorld,
  protocol: AwsProtocol,
  credential: Credential,
  clientId: string,
): Promise<AwsLink> {
  return protocol === '5' ? await connect5(world, credential, clientId) : await connect311(world, credential, clientId);
}

async function connect311(world: HoldfastWorld, credential: Credential, clientId: string): Promise<AwsLink> {
  const { iot, mqtt } = await loadSdk();
  const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(
    credential.certificatePem,
    credential.privateKeyPem,
  )
    .with_certificate_authority(world.rootPem)
    .with_endpoint(HOST)
    .with_port(world.ports.mqtt)
    .with_client_id(clientId)
    .with_clean_session(true)
    .build();
  const connection = new mqtt.MqttClient().new_connection(config);
  await connection.connect();
  return {
    protocol: '3.1.1',
    connection,
    close: async () => {
      await connection.disconnect();
    },
  };
}

async function connect5(world: HoldfastWorld, credential: Credential, clientId: string): Promise<AwsLink> {
  const { iot, mqtt5 } = await loadSdk();
  const config = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(
    HOST,
    credential.certificatePem,
    credential.privateKeyPem,
  )
    .withCertificateAuthority(world.rootPem)
    .withPort(world.ports.mqtt)
    .withConnectProperties({ clientId, keepAliveIntervalSeconds: 60 })
    .build();
  const client = new mqtt5.Mqtt5Client(config);
  const up = once(client, 'connectionSuccess');
  const refused = once(client, 'connectionFailure').then(([event]: { readonly error?: unknown }[]) => {
    throw new Error('MQTT 5 connection failed', { cause: event?.error });
  });
  client.start();
  try {
    await Promise.race([up, refused]);
  } catch (error) {
    client.stop();
    client.close();
    throw error;
  }
  refused.catch(() => undefined);
  return {
    protocol: '5',
    client,
    close: async () => {
      const stopped = once(client, 'stopped');
      client.stop();
      await stopped;
      client.close();
    },
  };
}
