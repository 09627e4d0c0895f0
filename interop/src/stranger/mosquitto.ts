import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { check, expectEqual, expectThat, type Report, type Stranger } from '../stranger.ts';
import { HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { debianVersion, runTool, succeed } from '../world/run-tool.ts';
import { mosquittoOptions } from './mqtt/mosquitto-options.ts';

/** Protocol as mosquitto's tools name it, and what they say and return when a publish is refused. */
const PROTOCOLS = [
  { flag: 'mqttv311', refusedPublish: /connection was lost/i },
  { flag: 'mqttv5', refusedPublish: /Not authorized/i },
] as const;

const SUBSCRIBER = 'mosquitto_sub';

/** Exit code of mosquitto_sub and mosquitto_rr when -W runs out. */
const TIMED_OUT = 27;

export const mosquitto: Stranger = {
  name: 'mosquitto-clients',
  source: 'Debian',
  deed: 'mosquitto_pub, _sub and _rr exchange messages over mTLS: QoS, retained, will, jobs, refusals; 3.1.1 and 5',
  install: 'apt-get install mosquitto-clients',
  version: () => debianVersion('mosquitto-clients'),
  meet: async (world, report) => {
    for (const protocol of PROTOCOLS) await exchange(world, report, protocol);
    for (const alpn of ['x-amzn-mqtt-ca', 'mqtt', undefined]) await onOnePort(world, report, alpn);
    await refuseStrangers(world, report);
  },
};

async function exchange(world: HoldfastWorld, report: Report, protocol: (typeof PROTOCOLS)[number]): Promise<void> {
  const device = await world.enroll('mosquitto');
  const own = `devices/${device.deviceId}`;
  const options = [...mosquittoOptions(world, device), '-V', protocol.flag];
  const name = (words: string) => `${protocol.flag}: ${words}`;

  await check(report, name('mosquitto_rr hears its own request'), async () => {
    const echo = ['-t', `${own}/echo`, '-e', `${own}/echo`, '-m', 'heard', '-W', '5'];
    expectEqual((await succeed('mosquitto_rr', [...options, ...echo])).toString(), 'heard\n', 'output');
  });

  await check(
    report,
    name('mosquitto_sub gets what mosquitto_pub retained, by its name and not by wildcard'),
    async () => {
      const kept = `${own}/kept`;
      await succeed('mosquitto_pub', [...options, '-r', '-t', kept, '-m', 'kept']);
      const got = await succeed('mosquitto_sub', [...options, '-t', kept, '-C', '1', '-W', '5', '-F', '%r %t %p']);
      expectEqual(got.toString(), `1 ${kept} kept\n`, 'output');
      // As AWS IoT has it: a wildcard must not bring home everything that was ever retained.
      const wild = await runTool('mosquitto_sub', [...options, '-t', `${own}/+`, '-C', '1', '-W', '1']);
      expectEqual([wild.code, wild.stdout.toString()], [TIMED_OUT, ''], 'by wildcard');
    },
  );

  await check(report, name('leaves its will when it is killed'), async () => {
    const will = ['--will-topic', `${own}/will`, '--will-payload', 'gone', '--will-retain', '--will-qos', '1'];
    await world.untilPresent(device.deviceId, false);
    const child = spawn(SUBSCRIBER, [...options, ...will, '-t', `${own}/x`], { stdio: 'ignore' });
    await world.untilPresent(device.deviceId, true);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await world.untilPresent(device.deviceId, false);
    const got = await succeed('mosquitto_sub', [...options, '-t', `${own}/will`, '-C', '1', '-W', '5']);
    expectEqual(got.toString(), 'gone\n', 'output');
  });

  await check(report, name('is told of a job as it comes'), async () => {
    await world.untilPresent(device.deviceId, false);
    const topic = `$aws/things/${device.deviceId}/jobs/notify-next`;
    const told = succeed('mosquitto_sub', [...options, '-t', topic, '-C', '1', '-W', '10']);
    await world.untilPresent(device.deviceId, true);
    const jobId = world.newSerial('errand');
    await world.api.call('jobs.create', { body: { jobId, devices: [device.deviceId], document: { blink: 1 } } });
    const { execution } = JSON.parse((await told).toString()) as { readonly execution?: { readonly jobId: string } };
    expectEqual(execution?.jobId, jobId, 'job');
  });

  await check(report, name('asks for its next job without subscribing as a device would'), async () => {
    const jobs = `$aws/things/${device.deviceId}/jobs`;
    const ask = ['-t', `${jobs}/start-next`, '-e', `${jobs}/start-next/accepted`, '-m', '{}', '-W', '5'];
    const got = JSON.parse((await succeed('mosquitto_rr', [...options, ...ask])).toString()) as Record<string, unknown>;
    expectThat('execution' in got && 'timestamp' in got, `answer ${JSON.stringify(got)}`);
  });

  await check(report, name("is refused another device's topics"), async () => {
    const { stderr } = await runTool('mosquitto_pub', [...options, '-t', 'devices/other/x', '-m', 'no']);
    expectThat(protocol.refusedPublish.test(stderr), `mosquitto_pub said ${stderr}`);
    const sub = await runTool('mosquitto_sub', [...options, '-t', 'devices/other/#', '-C', '1', '-W', '2']);
    expectThat(/denied/i.test(sub.stderr), `mosquitto_sub said ${sub.stderr}`);
  });
}

async function onOnePort(world: HoldfastWorld, report: Report, alpn: string | undefined): Promise<void> {
  await check(report, `the one port: mosquitto_rr hears itself by ALPN ${alpn ?? '(none)'}`, async () => {
    const device = await world.enroll('mosquitto');
    const named = alpn === undefined ? [] : ['--tls-alpn', alpn];
    const topic = `devices/${device.deviceId}/echo`;
    const echo = ['-V', 'mqttv5', '-t', topic, '-e', topic, '-m', 'heard', '-W', '5'];
    const options = [...mosquittoOptions(world, device, world.ports.mux), ...named, ...echo];
    expectEqual((await succeed('mosquitto_rr', options)).toString(), 'heard\n', 'output');
  });
}

async function refuseStrangers(world: HoldfastWorld, report: Report): Promise<void> {
  const device = await world.enroll('mosquitto');
  const publish = ['-t', `devices/${device.deviceId}/x`, '-m', 'no'];
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['no certificate', ['-h', HOST, '-p', String(world.ports.mqtt), '--cafile', world.rootFile, '-i', device.deviceId]],
    ['another client id', [...mosquittoOptions(world, device), '-i', 'other']],
  ];
  for (const [name, options] of cases) {
    await check(report, `a connection with ${name} is refused`, async () => {
      const { code } = await runTool('mosquitto_pub', [...options, ...publish]);
      expectThat(code !== 0, 'mosquitto_pub went through');
    });
  }
  await check(report, 'a revoked device is refused', async () => {
    const options = mosquittoOptions(world, device);
    await succeed('mosquitto_pub', [...options, ...publish]);
    await world.api.call('devices.revoke', { device: device.deviceId, body: { reason: 'keyCompromise' } });
    const { code } = await runTool('mosquitto_pub', [...options, ...publish]);
    expectThat(code !== 0, 'mosquitto_pub went through');
  });
}
