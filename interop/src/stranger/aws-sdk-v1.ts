import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import { check, expectEqual, type Stranger } from '../stranger.ts';
import { type EnrolledDevice, HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { succeed, toolVersion } from '../world/run-tool.ts';

// Its last release; what it stands on is too old for a lock file of ours.
const VERSION = '2.2.16';
const INSTALL_LIMIT_MS = 120_000;

/** What is used of `aws-iot-device-sdk`. */
interface Sdk {
  device(options: Readonly<Record<string, unknown>>): Client;
  thingShadow(options: Readonly<Record<string, unknown>>): Client & {
    register(thing: string, options: object, done: () => void): void;
    update(thing: string, state: object): string | null;
  };
}

interface Client extends NodeJS.EventEmitter {
  subscribe(topic: string, options: object, done: (error: unknown, granted: readonly { qos: number }[]) => void): void;
  publish(topic: string, payload: string, options: object, done: (error?: Error | null) => void): void;
  end(force: boolean, done: () => void): void;
}

export const awsSdkV1: Stranger = {
  name: 'aws-iot-device-sdk',
  source: 'npm',
  deed: 'connects, exchanges a message, is refused what is not its own, updates its shadow; 3.1.1',
  install: 'npm, and its registry',
  version: async () => ((await toolVersion('npm', ['--version'])) === undefined ? undefined : VERSION),
  meet: async (world, report) => {
    const sdk = await install(world);
    await check(report, 'hears itself and is refused the rest', async () => {
      const device = await world.enroll('aws-v1');
      const client = sdk.device(optionsOf(world, device));
      try {
        await once(client, 'connect');
        const heard = once(client, 'message');
        expectEqual(await subscribe(client, `devices/${device.deviceId}/echo`), 1, 'granted');
        await publish(client, `devices/${device.deviceId}/echo`, 'heard');
        expectEqual(String((await heard)[1]), 'heard', 'echo');
        expectEqual(await subscribe(client, 'devices/somebody-else/#'), 128, 'foreign subscription');
      } finally {
        await end(client);
      }
    });
    await check(report, 'updates its shadow and is told so', async () => {
      const device = await world.enroll('aws-v1');
      const client = sdk.thingShadow(optionsOf(world, device));
      try {
        await once(client, 'connect');
        await new Promise<void>((resolve) => client.register(device.deviceId, {}, resolve));
        const answered = once(client, 'status');
        client.update(device.deviceId, { state: { reported: { lit: true } } });
        const [thing, kind, , state] = await answered;
        expectEqual([thing, kind], [device.deviceId, 'accepted'], 'answer');
        expectEqual((state as { state: unknown }).state, { reported: { lit: true } }, 'state');
      } finally {
        await end(client);
      }
    });
  },
};

async function install(world: HoldfastWorld): Promise<Sdk> {
  const folder = world.scratch('aws-v1');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--silent'];
  await succeed('npm', ['install', ...quiet, '--prefix', folder, `aws-iot-device-sdk@${VERSION}`], {
    cwd: folder,
    limitMs: INSTALL_LIMIT_MS,
  });
  return createRequire(path.join(folder, 'any.js'))('aws-iot-device-sdk') as Sdk;
}

function optionsOf(
  world: HoldfastWorld,
  { deviceId, keyFile, certificateFile }: EnrolledDevice,
): Record<string, unknown> {
  const files = { keyPath: keyFile, certPath: certificateFile, caPath: world.rootFile };
  return { ...files, clientId: deviceId, host: HOST, port: world.ports.mqtt };
}

function subscribe(client: Client, topic: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    client.subscribe(topic, { qos: 1 }, (_error, granted) => resolve(granted?.[0]?.qos));
  });
}

function publish(client: Client, topic: string, payload: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.publish(topic, payload, { qos: 1 }, (error) =>
      error === null || error === undefined ? resolve() : reject(error),
    );
  });
}

function end(client: Client): Promise<void> {
  return new Promise((resolve) => client.end(true, resolve));
}
