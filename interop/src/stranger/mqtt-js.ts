import { once } from 'node:events';
import type { IClientOptions, MqttClient } from 'mqtt';
import { check, expectEqual, expectThat, type Report, type Stranger, wordsOf } from '../stranger.ts';
import type { HoldfastWorld } from '../world/holdfast-world.ts';
import { npmVersion } from '../world/npm-package.ts';
import { connectMqttJs, emitterOf, nextMessage, REPLY_LIMIT_MS } from './mqtt/mqtt-js-link.ts';

type Version = 4 | 5;

const SPOKEN: Readonly<Record<Version, string>> = { 4: '3.1.1', 5: '5' };

export const mqttJs: Stranger = {
  name: 'mqtt',
  source: 'npm',
  deed: 'exchanges messages over mTLS: QoS 0 and 1, retained, will, persistent session, refusals; 3.1.1 and 5',
  install: 'npm ci',
  version: () => Promise.resolve(npmVersion('mqtt')),
  meet: async (world, report) => {
    for (const version of [4, 5] as const) await exchange(world, report, version);
  },
};

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
