import type { MqttClient } from 'mqtt';
import { check, expectEqual, type Stranger } from '../stranger.ts';
import type { EnrolledDevice, HoldfastWorld } from '../world/holdfast-world.ts';
import { npmVersion } from '../world/npm-package.ts';
import { debianVersion, succeed } from '../world/run-tool.ts';
import { mosquittoOptions } from './mqtt/mosquitto-options.ts';
import { connectMqttJs, nextMessage } from './mqtt/mqtt-js-link.ts';

const TOPICS = 'arn:aws:iot:*:*:topic/hall/*';

/** A hall that several devices share, as an operator writes it in the words of AWS IoT. */
const HALL_POLICY = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: 'iot:Connect', Resource: 'arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}' },
    { Effect: 'Allow', Action: ['iot:Publish', 'iot:Receive', 'iot:RetainPublish'], Resource: TOPICS },
    { Effect: 'Allow', Action: 'iot:Subscribe', Resource: 'arn:aws:iot:*:*:topicfilter/hall/*' },
  ],
};

export const betweenStrangers: Stranger = {
  name: 'mqtt and mosquitto-clients',
  source: 'Debian',
  deed: 'two devices of different makes talk both ways, 3.1.1 with 5, where an AWS IoT policy lets them',
  install: 'apt-get install mosquitto-clients',
  version: async () => {
    const versions = [npmVersion('mqtt'), await debianVersion('mosquitto-clients')];
    return versions.includes(undefined) ? undefined : versions.join(' and ');
  },
  meet: async (world, report) => {
    const [left, right] = [await world.enroll('hall'), await world.enroll('hall')];
    await world.api.call('policies.put', { policy: 'hall', body: { document: JSON.stringify(HALL_POLICY) } });
    for (const { deviceId } of [left, right]) {
      await world.api.call('policies.attach', { policy: 'hall', body: { kind: 'device', id: deviceId } });
    }
    for (const [own, other] of [
      ['mqttv311', 5],
      ['mqttv5', 4],
    ] as const) {
      await check(report, `mosquitto_pub (${own}) is heard by mqtt.js (${other})`, async () => {
        const client = await listen(world, right, other, 'hall/door');
        const heard = nextMessage(client);
        await succeed('mosquitto_pub', [...mosquittoOptions(world, left), '-V', own, '-t', 'hall/door', '-m', 'open']);
        const { topic, payload } = await heard;
        expectEqual([topic, payload.toString()], ['hall/door', 'open'], 'message');
        await client.endAsync();
        await world.untilPresent(right.deviceId, false);
      });
      await check(report, `mqtt.js (${other}) is heard by mosquitto_sub (${own}), late and in order`, async () => {
        const lasting = ['-c', ...(own === 'mqttv5' ? ['-x', '300'] : []), '-t', 'hall/light'];
        const subscribe = [...mosquittoOptions(world, left), '-V', own, ...lasting];
        await succeed('mosquitto_sub', [...subscribe, '-E']);
        const client = await listen(world, right, other, 'hall/none');
        for (const words of ['on', 'off', 'on again']) await client.publishAsync('hall/light', words, { qos: 1 });
        await client.endAsync();
        const got = await succeed('mosquitto_sub', [...subscribe, '-C', '3', '-W', '5']);
        expectEqual(got.toString(), 'on\noff\non again\n', 'output');
        await world.untilPresent(right.deviceId, false);
      });
    }
  },
};

async function listen(
  world: HoldfastWorld,
  device: EnrolledDevice,
  version: 4 | 5,
  topic: string,
): Promise<MqttClient> {
  const { client } = await connectMqttJs(world, device, { protocolVersion: version });
  const [granted] = await client.subscribeAsync(topic, { qos: 1 });
  expectEqual(granted?.qos, 1, 'granted');
  return client;
}
