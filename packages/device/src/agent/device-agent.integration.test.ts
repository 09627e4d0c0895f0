import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunningDevice, TestFleet } from '../testing/fleet.ts';
import type { EnrollmentPlan } from './settings.ts';

let fleet: TestFleet;
let claim: { readonly certificatePem: string; readonly privateKeyPem: string };
const running: RunningDevice[] = [];

beforeEach(async () => {
  fleet = await TestFleet.start();
  const { pem, key } = await fleet.server.authority.claim();
  claim = { certificatePem: pem, privateKeyPem: key.exportPem() };
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((device) => device.stop()));
  await fleet.server.close();
});

const byCsr = (): EnrollmentPlan => ({ kind: 'fleet', claim, format: 'json', key: 'csr' });

function run(options: ConstructorParameters<typeof RunningDevice>[1]): RunningDevice {
  const device = new RunningDevice(fleet.server, options);
  running.push(device);
  return device;
}

describe('a device agent', () => {
  it.each<[string, () => EnrollmentPlan, 4 | 5, 'mqtt-cbor' | 'mqtt-json' | 'https']>([
    ['claim and CSR in JSON, MQTT 5, stream in CBOR', byCsr, 5, 'mqtt-cbor'],
    [
      'claim and keys in CBOR, MQTT 3.1.1, stream in JSON',
      () => ({ kind: 'fleet', claim, format: 'cbor', key: 'keys' }),
      4,
      'mqtt-json',
    ],
    ['EST, MQTT 5, HTTPS ranges', () => ({ kind: 'est', claim }), 5, 'https'],
  ])(
    'enrolls, proves itself and brings an update to its proven end: %s',
    async (_name, plan, mqttVersion, transport) => {
      const made = fleet.make('hub-1');
      const device = run({ device: made, enrollment: plan(), mqttVersion, transport });
      await device.until({ kind: 'enrolled', deviceId: 'hub-1' });
      await device.until({ kind: 'evidence' });
      fleet.server.addJob('job-1', await fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2));
      await device.until({ kind: 'job', status: 'SUCCEEDED' });
      expect(fleet.server.statuses).toEqual([
        'job-1 IN_PROGRESS downloading',
        'job-1 IN_PROGRESS restarting',
        'job-1 SUCCEEDED',
      ]);
      expect(fleet.server.verdicts).toMatchObject([
        { kind: 'measured', bootState: 'confirmed', securityCounter: 1 },
        { kind: 'measured', bootState: 'test', securityCounter: 2 },
        { kind: 'measured', bootState: 'confirmed', securityCounter: 2 },
      ]);
      expect(made.device.securityCounter).toBe(2);
    },
  );

  it('renews before its time when the server asks for it, and goes on', async () => {
    const device = run({ device: fleet.make('hub-1'), enrollment: byCsr() });
    await device.until({ kind: 'evidence' });
    fleet.server.wantsRenewal.add('hub-1');
    await device.until({ kind: 'renewed', deviceId: 'hub-1' });
    fleet.server.wantsRenewal.clear();
    fleet.server.addJob('job-1', await fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2));
    await device.until({ kind: 'job', status: 'SUCCEEDED' });
  });

  it('goes back when the server does not accept the proof of the trial boot', async () => {
    const made = fleet.make('hub-1');
    fleet.server.judge = (verdict) => ({
      posture: 'restricted',
      reasons: ['unknown digest'],
      bootState: verdict.kind === 'measured' ? verdict.bootState : 'test',
      proceed: 'none',
    });
    const device = run({
      device: made,
      enrollment: byCsr(),
      timings: { trialMs: 400, replyMs: 2000, pollMs: 30, powerReturnMs: 1, reconnect: { baseMs: 5, maxMs: 10 } },
    });
    await device.until({ kind: 'evidence' });
    fleet.server.addJob('job-1', await fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2));
    await device.until({ kind: 'reset', reason: 'proof-refused' });
    await device.until({ kind: 'job', status: 'FAILED', code: 'device.proof_refused' });
    expect(device.events).not.toContainEqual(expect.objectContaining({ kind: 'confirmed' }));
    expect(made.device.securityCounter).toBe(1);
  });

  it('goes back when the server is gone during the trial', async () => {
    const made = fleet.make('hub-1');
    const device = run({
      device: made,
      enrollment: byCsr(),
      timings: { trialMs: 300, replyMs: 500, pollMs: 30, powerReturnMs: 1, reconnect: { baseMs: 5, maxMs: 10 } },
      onEvent: (event) => {
        if (event.kind === 'staged') void fleet.server.close();
      },
    });
    await device.until({ kind: 'evidence' });
    fleet.server.addJob('job-1', await fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2));
    await device.until({ kind: 'reset', reason: 'proof-refused' });
    await device.until({ kind: 'booted', version: '1.0.0', bootState: 'confirmed' });
  });

  it('goes back when the new firmware fails its self-test, and its evidence comes before any word of it', async () => {
    const device = run({
      device: fleet.make('hub-1'),
      enrollment: byCsr(),
      selfTest: (version) => version !== '2.0.0',
    });
    await device.until({ kind: 'evidence' });
    fleet.server.addJob('job-1', await fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2));
    await device.until({ kind: 'reset', reason: 'self-test-failed' });
    await device.until({ kind: 'job', status: 'FAILED', code: 'device.self_test_failed' });
    const kinds = device.events.slice(device.events.findIndex(({ kind }) => kind === 'staged')).map(({ kind }) => kind);
    expect(kinds.indexOf('evidence')).toBeLessThan(kinds.indexOf('job'));
    expect(
      fleet.server.verdicts.every((verdict) => verdict.kind === 'measured' && verdict.bootState === 'confirmed'),
    ).toBe(true);
  });

  it('recovers from a loss of power in the middle of the swap', async () => {
    const made = fleet.make('hub-1');
    const device = run({
      device: made,
      enrollment: byCsr(),
      onEvent: (event) => {
        if (event.kind === 'staged')
          made.device.supply.setPlan([{ kind: 'power-cut', operation: 40, when: 'during', seed: 4 }]);
      },
    });
    await device.until({ kind: 'evidence' });
    fleet.server.addJob('job-1', await fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2));
    await device.until({ kind: 'reset', reason: 'power-lost' });
    await device.until({ kind: 'job', status: 'SUCCEEDED' });
    expect(device.events).toContainEqual({ kind: 'boot-step', step: { kind: 'swap', type: 'test', resumed: true } });
  });

  it('recovers from a loss of power while it writes the download, and does not fetch all of it again', async () => {
    const made = fleet.make('hub-1');
    const received: number[] = [];
    const device = run({
      device: made,
      enrollment: byCsr(),
      onEvent: (event) => {
        if (event.kind === 'downloading') received.push(event.received);
      },
    });
    await device.until({ kind: 'evidence' });
    const job = await fleet.jobFor(fleet.image('2.0.0', 2, 300_000), '2.0.0', 2);
    made.device.supply.setPlan([{ kind: 'power-cut', operation: 76 + 50, when: 'during', seed: 9 }]);
    fleet.server.addJob('job-1', job);
    await device.until({ kind: 'reset', reason: 'power-lost' });
    const before = received.length;
    await device.until({ kind: 'job', status: 'SUCCEEDED' });
    expect(before).toBeGreaterThan(16);
    expect(received.length - before).toBeLessThan(74 - 16);
  });

  it('asks again for blocks that were lost, and goes on after a cut connection', async () => {
    const device = run({ device: fleet.make('hub-1'), enrollment: byCsr() });
    await device.until({ kind: 'evidence' });
    fleet.server.lostBlocks.add(2).add(7);
    fleet.server.cutDownloadAfter = 200_000;
    fleet.server.addJob('job-1', await fleet.jobFor(fleet.image('2.0.0', 2, 300_000), '2.0.0', 2));
    await device.until({ kind: 'job', status: 'SUCCEEDED' });
    expect(fleet.server.lostBlocks.size).toBe(0);
    expect(fleet.server.cutDownloadAfter).toBeUndefined();
  });

  /** A device that has its certificate and was switched off. */
  async function enrolled(): Promise<ReturnType<TestFleet['make']>> {
    const made = fleet.make('hub-1');
    const device = run({ device: made, enrollment: byCsr() });
    await device.until({ kind: 'evidence' });
    running.splice(running.indexOf(device), 1);
    await device.stop();
    return made;
  }

  it('proves itself in safe mode and comes out of it by an update', async () => {
    const made = await enrolled();
    const state = made.device.flash.snapshot();
    const at = made.device.plan.primary.address + 1000;
    state[at] = (state[at] ?? 0) ^ 1;
    made.device.flash.restoreSnapshot(state);
    const device = run({ device: made });
    await device.until({ kind: 'booted', mode: 'safe-mode', code: 'boot.hash_mismatch' });
    await device.until({ kind: 'evidence' });
    expect(fleet.server.verdicts.at(-1)).toMatchObject({
      kind: 'measured',
      mode: 'recovery',
      bootState: 'recovery',
    });
    fleet.server.addJob('job-1', await fleet.jobFor(fleet.image('1.0.1', 1), '1.0.1', 1));
    await device.until({ kind: 'job', status: 'SUCCEEDED' });
    await device.until({ kind: 'booted', version: '1.0.1', bootState: 'confirmed' });
  });

  it('ends in safe mode, and online, when its firmware fails its self-test three times', async () => {
    const device = run({ device: await enrolled(), selfTest: () => false });
    await device.until({ kind: 'booted', mode: 'safe-mode', code: 'device.safe_mode' });
    await device.until({ kind: 'evidence' });
    expect(device.events.filter(({ kind }) => kind === 'booted')).toHaveLength(4);
  });

  it('enrolls nothing in safe mode, even with a claim in hand', async () => {
    const device = run({ device: fleet.make('hub-1'), enrollment: byCsr(), selfTest: () => false });
    running.splice(running.indexOf(device), 1);
    await expect(device.until({ kind: 'enrolled' })).rejects.toMatchObject({ code: 'device.not_enrolled' });
    expect(fleet.server.enrolled).toEqual([]);
  });

  it('goes on after its process ended, from the files in its folder', async () => {
    const folder = join(mkdtempSync(join(tmpdir(), 'agent-')), 'hub');
    try {
      const made = fleet.make('hub-1', folder);
      made.device.close();
      const first = run({ device: folder, enrollment: byCsr(), onEvent: () => undefined });
      await first.until({ kind: 'evidence' });
      fleet.server.cutDownloadAfter = 100_000;
      fleet.server.addJob('job-1', await fleet.jobFor(fleet.image('2.0.0', 2, 200_000), '2.0.0', 2));
      await first.until({ kind: 'job', step: 'downloading' });
      await first.stop();
      const second = run({ device: folder });
      await second.until({ kind: 'job', status: 'SUCCEEDED' });
      expect(second.events).not.toContainEqual(expect.objectContaining({ kind: 'enrolled' }));
      for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o077, name).toBe(0);
    } finally {
      rmSync(join(folder, '..'), { recursive: true });
    }
  });

  it('renews its certificate at two thirds of its life, with another key', async () => {
    const made = fleet.make('hub-1');
    const hour = 3_600_000;
    fleet.server.deviceLife = { notBefore: Date.now() - 47 * hour, notAfter: Date.now() + hour };
    const device = run({ device: made, enrollment: { kind: 'est', claim } });
    await device.until({ kind: 'renewed', deviceId: 'hub-1' });
    expect(fleet.server.enrolled).toEqual(['simpleenroll hub-1', 'simplereenroll hub-1']);
    await device.until({ kind: 'evidence' });
  });
});
