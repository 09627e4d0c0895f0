import { once } from 'node:events';
import type { IClientOptions, MqttClient } from 'mqtt';
import { check, expectEqual, expectThat, type Report, type Stranger, wordsOf } from '../stranger.ts';
import { HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { npmVersion } from '../world/npm-package.ts';
import { connectMqttJs, emitterOf, nextMessage, REPLY_LIMIT_MS } from './mqtt/mqtt-js-link.ts';

type Version = 4 | 5;

const SPOKEN: Readonly<Record<Version, string>> = { 4: '3.1.1', 5: '5' };

export const mqttJs: Stranger = {
  name: 'mqtt',
  source: 'npm',
  deed: 'exchanges messages over mTLS and in WebSocket: QoS 0 and 1, retained, will, session, refusals; 3.1.1 and 5',
  install: 'npm ci',
  version: () => Promise.resolve(npmVersion('mqtt')),
  meet: async (world, report) => {
    for (const version of [4, 5] as const) {
      await exchange(world, report, version);
      for (const port of ['https', 'mux'] as const) await inWebSocket(world, report, { version, port });
    }
  },
};

async function inWebSocket(
  world: HoldfastWorld,
  report: Report,
  { version, port }: { readonly version: Version; readonly port: 'https' | 'mux' },
): Promise<void> {
  const device = await world.enroll('mqttjs');
  const url = `wss://${HOST}:${world.ports[port]}/mqtt`;
  const echo = `devices/${device.deviceId}/echo`;
  const open = async () => (await connectMqttJs(world, device, { protocolVersion: version, url })).client;
  const name = (words: string) => `MQTT ${SPOKEN[version]} in WebSocket, ${port} port: ${words}`;

  await check(report, name('gets back what it publishes, byte for byte, up to the largest payload'), async () => {
    const client = await open();
    await client.subscribeAsync(echo, { qos: 1 });
    for (const bytes of [0, 1, 125, 126, 65_536, 131_072]) {
      const payload = Buffer.from(Array.from({ length: bytes }, (_, at) => at % 256));
      const heard = nextMessage(client);
      await client.publishAsync(echo, payload, { qos: 1 });
      expectEqual((await heard).payload.equals(payload), true, `${bytes} bytes`);
    }
    await client.endAsync();
    await world.untilPresent(device.deviceId, false);
  });
  await check(report, name('is cut when its device is revoked, and refused after'), async () => {
    const client = await open();
    const closed = once(emitterOf(client), 'close');
    await world.api.call('devices.revoke', { device: device.deviceId, body: { reason: 'keyCompromise' } });
    await closed;
    await client.endAsync(true);
    const again = await open().then(
      () => 'connected',
      (error: unknown) => wordsOf(error),
    );
    expectThat(again !== 'connected', 'a revoked device was connected');
  });
}

async function exchange(world: HoldfastWorld, report: Report, version: Version): Promise<void> {
  const device = await world.enroll('mqttjs');
  const own = `devices/${device.deviceId}`;
  const name = (words: string) => `MQTT ${SPOKEN[version]}: ${words}`;
  const open = async (options: IClientOptions = {}) =>
    (await connectMqttJs(world, device, { protocolVersion: version, ...options })).client;

  for (const qos of [0, 1] as const) {
    await check(report, name(`gets back what it publishes with QoS ${qos}, byte for byte`), async () => {
      const client = await open();
      const payload = Buffer.from(Array.from({ length: 4096 }, (_, at) => at % 256));
      await client.subscribeAsync(`${own}/echo`, { qos });
      const heard = nextMessage(client);
      await client.publishAsync(`${own}/echo`, payload, { qos });
      const { topic, payload: got } = await heard;
      expectEqual([topic, got.equals(payload)], [`${own}/echo`, true], 'message');
      await client.endAsync();
    });
  }

  await check(report, name('finds a retained message, and not after it was cleared'), async () => {
    const client = await open();
    await client.publishAsync(`${own}/kept`, 'kept', { qos: 1, retain: true });
    const heard = nextMessage(client);
    await client.subscribeAsync(`${own}/kept`, { qos: 1 });
    expectEqual((await heard).payload.toString(), 'kept', 'retained');
    await client.unsubscribeAsync(`${own}/kept`);
    await client.publishAsync(`${own}/kept`, '', { qos: 1, retain: true });
    await client.subscribeAsync([`${own}/kept`, `${own}/after`], { qos: 1 });
    const after = nextMessage(client);
    await client.publishAsync(`${own}/after`, 'after', { qos: 1 });
    expectEqual((await after).topic, `${own}/after`, 'first message');
    await client.endAsync();
  });

  await check(report, name('leaves its will when it is cut off'), async () => {
    const will = { topic: `${own}/will`, payload: Buffer.from('gone'), qos: 1, retain: true } as const;
    const cut = await open({ will });
    const closed = once(emitterOf(cut), 'close');
    cut.stream.destroy();
    await closed;
    await cut.endAsync(true);
    await world.untilPresent(device.deviceId, false);
    const client = await open();
    const heard = nextMessage(client);
    await client.subscribeAsync(`${own}/will`, { qos: 1 });
    expectEqual((await heard).payload.toString(), 'gone', 'will');
    await client.endAsync();
  });

  await check(report, name('finds its session again'), async () => {
    const lasting: IClientOptions =
      version === 5 ? { clean: false, properties: { sessionExpiryInterval: 300 } } : { clean: false };
    const first = await open(lasting);
    await first.subscribeAsync(`${own}/later`, { qos: 1 });
    await first.endAsync();
    const { client: second, sessionPresent } = await connectMqttJs(world, device, {
      protocolVersion: version,
      ...lasting,
    });
    expectEqual(sessionPresent, true, 'session present');
    const heard = nextMessage(second);
    await second.publishAsync(`${own}/later`, 'still subscribed', { qos: 1 });
    expectEqual((await heard).payload.toString(), 'still subscribed', 'message');
    await second.endAsync();
  });

  await check(report, name("is refused another device's topics"), async () => {
    const client = await open();
    const [granted] = await client.subscribeAsync('devices/somebody-else/#', { qos: 1 }).catch(() => []);
    expectThat(granted === undefined || granted.qos >= 128, `subscription was granted with ${granted?.qos}`);
    const words = await refusalOf(client, 'devices/somebody-else/x');
    expectThat(/Not authorized|close/i.test(words), `publish was answered: ${words}`);
    await client.endAsync(true);
  });

  await check(report, name('is refused another client id'), async () => {
    const words = await open({ clientId: 'somebody-else' }).then(
      () => 'connected',
      (error: unknown) => wordsOf(error),
    );
    expectThat(/identifier/i.test(words), `connection was answered: ${words}`);
  });
}

/** MQTT 5 names the reason in PUBACK; 3.1.1 can only close the connection. */
async function refusalOf(client: MqttClient, topic: string): Promise<string> {
  const closed = once(emitterOf(client), 'close', { signal: AbortSignal.timeout(REPLY_LIMIT_MS) }).then(() => 'closed');
  const answered = client.publishAsync(topic, 'no', { qos: 1 }).then(
    () => 'accepted',
    (error: unknown) => wordsOf(error),
  );
  const words = await Promise.race([closed, answered]);
  closed.catch(() => undefined);
  return words;
}
