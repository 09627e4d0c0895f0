import { expectEqual, expectThat, check, type Report, type Stranger } from '../stranger.ts';
import { type EnrolledDevice, type HoldfastWorld, PRODUCTS } from '../world/holdfast-world.ts';
import { npmVersion } from '../world/npm-package.ts';
import { makeStockRequest } from '../world/stock-csr.ts';
import { type AwsProtocol, connectAws } from './aws/aws-link.ts';
import { type Jobs, jobsOf, statusWords } from './aws/jobs.ts';
import { type Generation, provisioningOf } from './aws/provisioning.ts';

interface Combination {
  readonly protocol: AwsProtocol;
  readonly generation: Generation;
  readonly keys: 'csr' | 'keys';
}

const COMBINATIONS: readonly Combination[] = (['3.1.1', '5'] as const).flatMap((protocol) =>
  (['v1', 'v2'] as const).flatMap((generation) =>
    (['csr', 'keys'] as const).map((keys) => ({ protocol, generation, keys })),
  ),
);

export const awsSdk: Stranger = {
  name: 'aws-iot-device-sdk-v2',
  source: 'npm',
  deed: 'provisions by claim with CSR and keys, reconnects, runs firmware jobs; MQTT 3.1.1 and 5, both service clients',
  install: 'npm ci',
  version: () => Promise.resolve(npmVersion('aws-iot-device-sdk-v2')),
  meet: async (world, report) => {
    for (const combination of COMBINATIONS) {
      const name = `MQTT ${combination.protocol}, ${combination.generation} clients, ${combination.keys}`;
      let device: EnrolledDevice | undefined;
      await check(report, `${name}: provisions by claim`, async () => {
        device = await provision(world, combination);
      });
      if (device !== undefined) await runJob(world, report, { ...combination, name, device });
    }
    for (const protocol of ['3.1.1', '5'] as const) await awaitProof(world, report, protocol);
  },
};

async function provision(world: HoldfastWorld, { protocol, generation, keys }: Combination): Promise<EnrolledDevice> {
  const serial = world.newSerial('aws');
  const link = await connectAws(world, protocol, await world.claimFor(serial), serial);
  try {
    const provisioning = await provisioningOf(link, generation);
    const request = await makeStockRequest(serial);
    const made =
      keys === 'csr'
        ? { ...(await provisioning.fromCsr(request.csrPem)), privateKey: request.privateKeyPem }
        : await provisioning.withKeys();
    const { certificateId, certificatePem = '', certificateOwnershipToken = '', privateKey = '' } = made;
    expectThat(/^[0-9a-f]{64}$/.test(certificateId ?? ''), `certificateId ${certificateId}`);
    const { thingName = '' } = await provisioning.register({
      templateName: PRODUCTS.believed,
      certificateOwnershipToken,
      parameters: { SerialNumber: serial },
    });
    expectEqual(thingName, serial, 'thingName');
    provisioning.close();
    return { deviceId: thingName, ...world.keep(thingName, certificatePem, privateKey) };
  } finally {
    await link.close();
  }
}

interface JobRun extends Combination {
  readonly name: string;
  readonly device: EnrolledDevice;
}

async function runJob(world: HoldfastWorld, report: Report, run: JobRun): Promise<void> {
  const { protocol, generation, name, device } = run;
  await check(report, `${name}: reconnects as the device and runs a firmware job to SUCCEEDED`, async () => {
    const link = await connectAws(world, protocol, device, device.deviceId);
    try {
      const jobs = await jobsOf(link, generation, device.deviceId);
      await firmwareJob(world, jobs, device.deviceId);
      jobs.close();
    } finally {
      await link.close();
    }
  });
}

async function firmwareJob(world: HoldfastWorld, jobs: Jobs, deviceId: string): Promise<void> {
  const { IN_PROGRESS, SUCCEEDED } = await statusWords();
  const { next } = await jobs.listen();
  await world.sendFirmware(PRODUCTS.believed, deviceId);
  const { jobId = '' } = await next;
  const { queuedJobs = [] } = await jobs.pending();
  expectEqual(
    queuedJobs.map((job) => job.jobId),
    [jobId],
    'queued jobs',
  );
  const { execution } = await jobs.startNext();
  expectEqual([execution?.jobId, execution?.status], [jobId, IN_PROGRESS], 'start-next');
  expectThat('afr_ota' in (execution?.jobDocument ?? {}), 'the job document has no afr_ota member');
  const { execution: described } = await jobs.describe(jobId);
  expectEqual([described?.jobId, described?.status], [jobId, IN_PROGRESS], 'describe');
  const expectedVersion = described?.versionNumber ?? 0;
  await jobs.update({ jobId, status: IN_PROGRESS, statusDetails: { receive: '1/5' }, expectedVersion });
  const stale = await refusalOf(jobs.update({ jobId, status: IN_PROGRESS, expectedVersion }));
  expectThat(stale.includes('VersionMismatch'), `an old expectedVersion was answered ${stale}`);
  await jobs.update({ jobId, status: SUCCEEDED });
  const { status, outcome } = await world.newestExecution(deviceId);
  expectEqual([status, outcome], ['SUCCEEDED', 'reported'], 'outcome');
  expectEqual((await jobs.startNext()).execution, undefined, 'start-next without jobs');
}

/** The word of a device that has to prove itself is taken down, and ends nothing. */
async function awaitProof(world: HoldfastWorld, report: Report, protocol: AwsProtocol): Promise<void> {
  await check(report, `MQTT ${protocol}: SUCCEEDED without evidence is accepted and awaits proof`, async () => {
    const { IN_PROGRESS, SUCCEEDED } = await statusWords();
    const device = await world.enroll('aws-proof', PRODUCTS.proven);
    const link = await connectAws(world, protocol, device, device.deviceId);
    try {
      const jobs = await jobsOf(link, 'v2', device.deviceId);
      await world.sendFirmware(PRODUCTS.proven, device.deviceId);
      const { execution } = await jobs.startNext();
      const jobId = execution?.jobId ?? '';
      await jobs.update({ jobId, status: SUCCEEDED });
      const { status, awaitingProof, outcome } = await world.newestExecution(device.deviceId);
      expectEqual([status, awaitingProof, outcome], ['IN_PROGRESS', true, undefined], 'the execution');
      expectEqual((await jobs.describe(jobId)).execution?.status, IN_PROGRESS, 'what the device sees');
      jobs.close();
    } finally {
      await link.close();
    }
  });
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
