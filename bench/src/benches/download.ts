import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { alternate, atLeast, atMost, type Bench, type BenchReport, type Contender } from '../harness/bench.ts';
import { withFolder } from '../harness/brokers.ts';
import { type Fleet, prepareFleet, PRODUCT } from '../harness/fleet.ts';
import { type HoldfastServer, startHoldfast } from '../harness/holdfast-server.ts';
import { cpuMicros, runWorkload } from '../harness/processes.ts';
import { nginxVersion, startNginx } from '../peers/nginx.ts';

const MIB = 1024 * 1024;
const SIZE = 16 * MIB;

/** Puts firmware on its way to the first device. @returns the job that lets it download, and the image's size */
async function startRollout(
  { client }: HoldfastServer,
  fleet: Fleet,
): Promise<{ readonly jobId: string; readonly size: number }> {
  const device = fleet.names[0] ?? '';
  const artifact = await client.call('artifacts.upload', { octets: new Uint8Array(SIZE) });
  const release = await client.call('releases.create', {
    body: { product: PRODUCT, version: '1.0.0', securityCounter: 1, artifactId: artifact.id },
  });
  const rollout = await client.call('rollouts.create', { body: { releaseId: release.id, devices: [device] } });
  const { executions } = await client.call('rollouts.show', { rollout: rollout.id });
  return { jobId: executions[0]?.jobId ?? '', size: release.imageLength };
}

export const download: Bench = {
  name: 'firmware-download',
  words:
    '16 MiB in ranges of 1 MiB over mutual TLS 1.3, opened from its envelope; the right to it asked for before each chunk',
  run: (effort) =>
    withFolder(async (folder): Promise<BenchReport> => {
      const fleet = await prepareFleet(folder, 2);
      const holdfast = await startHoldfast({ dataFolder: fleet.dataFolder });
      const version = nginxVersion();
      const files = path.join(folder, 'files');
      mkdirSync(files);
      const nginx = version === undefined ? undefined : await startNginx(fleet, files);
      try {
        const { jobId, size } = await startRollout(holdfast, fleet);
        writeFileSync(path.join(files, 'image.bin'), new Uint8Array(size));
        const times = effort.size(10, 2);
        const contender = (name: string, pid: number, url: string): Contender => ({
          name,
          measure: async () => {
            const before = cpuMicros(pid, true);
            const identity = path.join(fleet.identities, `${fleet.names[0]}.pem`);
            const { seconds, octets } = await runWorkload<{ seconds: number; octets: number }>('download', {
              url,
              ca: fleet.ca,
              identity,
              size,
              range: MIB,
              times,
            });
            return {
              'CPU µs a MiB': (cpuMicros(pid, true) - before) / (octets / MIB),
              'MiB a second': octets / MIB / seconds,
            };
          },
        });
        const own = contender('holdfast', holdfast.pid, `https://localhost:${holdfast.httpsPort}/artifacts/${jobId}`);
        await own.measure(0);
        const rounds = await alternate(effort, [
          own,
          ...(nginx === undefined ? [] : [contender('nginx', nginx.pid, `https://localhost:${nginx.port}/image.bin`)]),
        ]);
        return {
          figures: rounds.figures(),
          targets: rounds.has('nginx')
            ? [
                atMost('CPU beside nginx', rounds.ratio('CPU µs a MiB', 'holdfast', 'nginx'), 1.6),
                atLeast('rate beside nginx', rounds.ratio('MiB a second', 'holdfast', 'nginx'), 0.8),
              ]
            : [],
          notes: [
            version === undefined
              ? 'skipped: nginx is not installed'
              : `peer: ${version}, one worker, plain file, sendfile`,
          ],
        };
      } finally {
        await holdfast.stop();
        await nginx?.stop();
      }
    }),
};
