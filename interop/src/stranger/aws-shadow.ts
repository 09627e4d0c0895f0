import { check, expectEqual, expectThat, type Report, type Stranger } from '../stranger.ts';
import type { HoldfastWorld } from '../world/holdfast-world.ts';
import { npmVersion } from '../world/npm-package.ts';
import { type AwsProtocol, connectAws } from './aws/aws-link.ts';
import type { Generation } from './aws/provisioning.ts';
import { type ShadowOf, shadowOf } from './aws/shadows.ts';

export const awsShadow: Stranger = {
  name: 'aws-iot-device-sdk-v2-shadow',
  source: 'npm',
  deed: 'keeps a named shadow: update, delta from an operator, get, version conflict, delete; MQTT 3.1.1 and 5, both clients',
  install: 'npm ci',
  version: () => Promise.resolve(npmVersion('aws-iot-device-sdk-v2')),
  meet: async (world, report) => {
    for (const protocol of ['3.1.1', '5'] as const) {
      for (const generation of ['v1', 'v2'] as const) await meetWith(world, report, protocol, generation);
    }
  },
};

async function meetWith(
  world: HoldfastWorld,
  report: Report,
  protocol: AwsProtocol,
  generation: Generation,
): Promise<void> {
  await check(report, `MQTT ${protocol}, ${generation} client: keeps a named shadow`, async () => {
    const device = await world.enroll('shadow');
    const link = await connectAws(world, protocol, device, device.deviceId);
    try {
      const shadow = await shadowOf(link, generation, { thingName: device.deviceId, shadowName: 'cabin' });
      await keep(world, shadow, device.deviceId);
      shadow.close();
    } finally {
      await link.close();
    }
  });
}

async function keep(world: HoldfastWorld, shadow: ShadowOf, device: string): Promise<void> {
  const { delta } = await shadow.listen();
  const first = await shadow.update({ reported: { lamp: { on: false, level: 1 } } });
  expectEqual([first.version, first.state?.reported], [1, { lamp: { on: false, level: 1 } }], 'accepted update');
  const body = { desired: { lamp: { on: true, level: 1 } } };
  await world.api.call('shadows.update', { device, query: { name: 'cabin' }, body });
  const { state, version } = await delta;
  expectEqual([state, version], [{ lamp: { on: true } }, 2], 'delta');
  const whole = await shadow.get();
  const { delta: difference } = whole.state ?? {};
  expectEqual([whole.version, difference], [2, { lamp: { on: true } }], 'get');
  expectThat(JSON.stringify(whole.metadata?.desired).includes('timestamp'), 'get has no metadata');
  const stale = await refusalOf(shadow.update({ reported: { lamp: { on: true } } }, 1));
  expectThat(stale.includes('409') && stale.includes('Version conflict'), `an old version was answered ${stale}`);
  await shadow.update({ reported: { lamp: { on: true } } }, 2);
  expectEqual((await shadow.get()).state?.delta, undefined, 'delta after the report');
  await shadow.remove();
  const gone = await refusalOf(shadow.get());
  expectThat(gone.includes('404'), `a deleted shadow was answered ${gone}`);
}

async function refusalOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'accepted';
  } catch (error) {
    const { message, reply, modeledError, innerError } = error as Record<string, unknown>;
    return JSON.stringify([message, reply, modeledError, innerError]);
  }
}
