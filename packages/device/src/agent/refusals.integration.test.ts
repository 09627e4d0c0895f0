import { generatePrivateKey, createSigner, signReleaseManifest } from '@holdfast/crypto';
import { decodeUtf8, type JsonValue } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunningDevice, TestFleet } from '../testing/fleet.ts';
import { makeTestKey, signTestImage } from '../../../crypto/src/virtual-chip/testing/images.ts';
import { TestAuthority } from '../testing/test-authority.ts';
import { TestServer } from '../testing/test-server.ts';
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

describe('a device agent refuses', () => {
  const cases: readonly [string, string, () => Promise<JsonValue>][] = [
    [
      'a manifest signed by a stranger',
      'device.manifest_refused',
      async () => {
        const job = (await fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2)) as { holdfast: { manifest: JsonValue } };
        const stranger = createSigner(await generatePrivateKey('P-256'));
        const forged = await signReleaseManifest(
          {
            tenant: 'default',
            product: 'hub',
            hardwareRevision: 'a1',
            version: '2.0.0',
            securityCounter: 2,
            imageSha256: new Uint8Array(32),
            length: 9,
            sequence: 1,
          },
          [stranger],
        );
        return { ...job, holdfast: { ...job.holdfast, manifest: JSON.parse(decodeUtf8(forged)) } };
      },
    ],
    [
      'an image that is not the one in the manifest',
      'device.image_mismatch',
      async () => {
        const image = fleet.image('2.0.0', 2);
        const job = await fleet.jobFor(image, '2.0.0', 2);
        image[500] = (image[500] ?? 0) ^ 1;
        return job;
      },
    ],
    [
      'an image of another version than its manifest',
      'device.image_mismatch',
      () => fleet.jobFor(fleet.image('2.0.0', 2), '2.0.1', 2),
    ],
    [
      'an image of another counter than its manifest',
      'device.image_mismatch',
      () => fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 3),
    ],
    [
      'another product',
      'device.wrong_product',
      () => fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2, { product: 'other' }),
    ],
    [
      'another hardware revision',
      'device.wrong_product',
      () => fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2, { hardwareRevision: 'b1' }),
    ],
    ['a lower counter', 'device.counter_too_low', () => fleet.jobFor(fleet.image('2.0.0', 0), '2.0.0', 0)],
    [
      'an expired manifest',
      'device.manifest_expired',
      () => fleet.jobFor(fleet.image('2.0.0', 2), '2.0.0', 2, { expires: Date.UTC(2020, 0, 1) }),
    ],
    [
      'other content under the version it has',
      'device.release_conflict',
      () => fleet.jobFor(fleet.image('1.0.0', 1, 50_000), '1.0.0', 1),
    ],
    [
      'an image that does not fit',
      'device.image_too_large',
      () => fleet.jobFor(fleet.image('2.0.0', 2, 1_050_000), '2.0.0', 2),
    ],
    ['a job it does not know', 'device.job_unsupported', () => Promise.resolve({ operation: 'dance' })],
  ];

  it.each(cases)('%s (%s)', async (_name, code, document) => {
    const made = fleet.make('hub-1');
    const device = run({ device: made, enrollment: byCsr() });
    await device.until({ kind: 'evidence' });
    fleet.server.addJob('job-1', await document());
    await device.until({ kind: 'job', status: 'FAILED', code });
    expect(device.events).not.toContainEqual(expect.objectContaining({ kind: 'staged' }));
    expect(made.device.securityCounter).toBe(1);
  });

  it('an image that only the boot stages can see through: rightly described, signed by a stranger', async () => {
    const made = fleet.make('hub-1');
    const device = run({ device: made, enrollment: byCsr() });
    await device.until({ kind: 'evidence' });
    const image = signTestImage(makeTestKey(), { version: '2.0.0', counter: 2, size: 5000 });
    fleet.server.addJob('job-1', await fleet.jobFor(image, '2.0.0', 2));
    await device.until({ kind: 'job', status: 'FAILED' });
    expect(device.events.filter(({ kind }) => kind === 'booted')).not.toContainEqual(
      expect.objectContaining({ version: '2.0.0' }),
    );
  });

  it('a server of another authority, and says nothing to it', async () => {
    const other = await TestServer.start(await TestAuthority.create('stranger'));
    try {
      const device = new RunningDevice(other, { device: fleet.make('hub-1'), enrollment: byCsr() });
      await device.until({ kind: 'disconnected', code: 'device.server_untrusted' });
      await device.stop();
      expect(other.enrolled).toEqual([]);
    } finally {
      await other.close();
    }
  });
});
