import { decodeUtf8, encodeUtf8, silentLog } from '@holdfast/kernel';
import { encodePublish, encodeSubscribe, type MqttVersion } from '@holdfast/wire/mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { deviceNamed } from '../../testing/fake-connection.ts';
import { OPERATOR, openUpdateWorld, type UpdateWorld } from '../../testing/update-world.ts';
import { Bench, type TestClient, TestPrincipal } from '../mqtt/testing/test-core.ts';
import { AwsIotTopics, JobNotifier } from './index.ts';

const refuse = (): never => {
  throw new Error('not asked here');
};

const P = '$aws/things/lamp/jobs';

let world: UpdateWorld;

async function open(): Promise<{ readonly bench: Bench; readonly notify: () => Promise<void> }> {
  world = await openUpdateWorld();
  await world.addProduct();
  await world.addDevice('lamp');
  const topics = new AwsIotTopics({
    ratchet: { offer: async () => new Uint8Array(48), turn: async () => undefined },
    mustRenew: async () => false,
    clock: world.clock,
    enrollment: { createCertificate: refuse, registerThing: refuse, enrollDirect: refuse, renew: refuse },
    attestation: { challenge: refuse, appraise: refuse },
    jobs: world.jobs,
    streams: { describe: refuse, get: refuse } as never,
    shadows: { get: refuse, update: refuse, delete: refuse } as never,
    publisher: { publish: refuse },
    peerOf: ({ clientId }) => ({ principal: deviceNamed(clientId), remoteAddress: '::1' }),
    renewRights: refuse,
    onHealth: refuse,
  });
  const bench = await Bench.started({ reserved: topics });
  const lamp = new TestPrincipal('default/device/lamp/lamp', 'default');
  lamp.receives = (topic) => topic === `${P}/notify-next`;
  bench.principals.set('lamp', lamp);
  const notifier = new JobNotifier({
    clock: world.clock,
    log: silentLog,
    jobs: world.jobs,
    publisher: {
      isConnected: () => true,
      publish: (realm, topic, payload) => bench.broker.publish({ realm, topic, payload, qos: 1 }),
    },
  });
  let heard = 0;
  return {
    bench,
    async notify() {
      for (const event of await world.opened.events.since(heard, 100)) {
        heard = event.sequence;
        await notifier.onEvent(event);
      }
    },
  };
}
afterEach(() => world.opened.close());

/** Publishes until something came back: topic, QoS and body of each message. */
async function hear(client: TestClient, ...packets: readonly Uint8Array[]) {
  const heard = await client.say(...packets);
  for (let round = 0; round < 50 && !heard.some(({ kind }) => kind === 'publish'); round++) {
    heard.push(...(await client.hear()));
  }
  return heard.flatMap((packet) =>
    packet.kind === 'publish'
      ? [{ topic: packet.topic, qos: packet.qos, body: JSON.parse(decodeUtf8(packet.payload)) as unknown }]
      : [],
  );
}

const publish = (version: MqttVersion, topic: string, body = '') =>
  encodePublish({ topic, payload: encodeUtf8(body), qos: 1, packetId: 9, retain: false }, version);
const subscribe = (version: MqttVersion, text: string, qos: 0 | 1) =>
  encodeSubscribe({ packetId: 5, subscriptions: [{ text, qos }] }, version);

describe.each<MqttVersion>([4, 5])('jobs through the MQTT core, protocol level %i', (version) => {
  it('reach an agent that subscribes to notify-next alone, its answers without subscription or Receive right', async () => {
    const { bench, notify } = await open();
    const lamp = await bench.client('lamp', { version });
    await lamp.say(subscribe(version, `${P}/notify-next`, 0));
    const timestamp = Math.floor(world.clock.now() / 1000);
    expect(await hear(lamp, publish(version, `${P}/$next/get`, '{"clientToken":"0:lamp"}'))).toEqual([
      { topic: `${P}/$next/get/accepted`, qos: 0, body: { timestamp, clientToken: '0:lamp' } },
    ]);
    const wish = { jobId: 'j', deviceIds: ['lamp'], document: { operation: 'x' }, inProgressTimeoutMinutes: undefined };
    await world.control.create(OPERATOR, wish);
    await notify();
    expect(await hear(lamp)).toMatchObject([
      { topic: `${P}/notify-next`, qos: 0, body: { execution: { jobId: 'j', jobDocument: { operation: 'x' } } } },
    ]);
  });

  it('answer once, at QoS 1, a client that subscribed to its answers by wildcard', async () => {
    const { bench } = await open();
    const lamp = await bench.client('lamp', { version });
    await lamp.say(subscribe(version, `${P}/get/+`, 1));
    const answers = await hear(lamp, publish(version, `${P}/get`));
    expect(answers).toMatchObject([{ topic: `${P}/get/accepted`, qos: 1, body: { queuedJobs: [] } }]);
  });

  it('close or refuse a device that uses the name of another, and leave the other alone', async () => {
    const { bench } = await open();
    await world.addDevice('other');
    const lamp = await bench.client('lamp', { version });
    const heard = await lamp.say(publish(version, '$aws/things/other/jobs/start-next'));
    const refused = heard.some((packet) => packet.kind === 'puback' && packet.reason === 0x80);
    expect(version === 5 ? refused : lamp.closed).toBe(true);
    expect(bench.principal('lamp').violations).toEqual([['publish', '$aws/things/other/jobs/start-next']]);
  });
});
