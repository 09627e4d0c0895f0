import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { alternate, atLeast, type Bench, type BenchReport, type Contender } from '../harness/bench.ts';
import { withFolder } from '../harness/brokers.ts';
import { versionOf } from '../harness/machine.ts';
import { run, runWorkload } from '../harness/processes.ts';
import { bulkSpeed, hasOpenssl } from '../peers/openssl.ts';

const MIB = 1024 * 1024;

/** `times` of the shell: user and system time of what it ran. */
async function childCpuMicros(command: string): Promise<number> {
  const out = await run('sh', ['-c', `${command} >/dev/null && times`]);
  const [, children = ''] = out.trim().split('\n');
  return children
    .split(' ')
    .map((part) => /(\d+)m([\d.]+)s/.exec(part))
    .reduce((sum, match) => sum + (Number(match?.[1] ?? 0) * 60 + Number(match?.[2] ?? 0)) * 1e6, 0);
}

function imgtool(folder: string): Contender {
  const key = path.join(folder, 'key.pem');
  const image = path.join(folder, 'image.bin');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(image, new Uint8Array(MIB));
  const command = `imgtool sign --key ${key} --version 1.2.3 --security-counter 4 --header-size 512 --pad-header --slot-size ${MIB + 65_536} --align 8 ${image} ${image}.signed`;
  return { name: 'imgtool', measure: async () => ({ 'CPU µs for 1 MiB': await childCpuMicros(command) }) };
}

export const firmware: Bench = {
  name: 'firmware-sign',
  words: 'an MCUboot image of 1 MiB signed with P-256 and verified by our own verifier; SHA-256 of 64 MiB',
  run: (effort) =>
    withFolder(async (folder): Promise<BenchReport> => {
      const hashSize = effort.size(64, 8) * MIB;
      const own: Contender = {
        name: 'holdfast',
        measure: async () => {
          const { signMicros, hashMicros } = await runWorkload<{ signMicros: number; hashMicros: number }>('firmware', {
            size: MIB,
            count: effort.size(200, 20),
            hashSize,
          });
          return { 'CPU µs for 1 MiB': signMicros, 'SHA-256 MiB a CPU second': hashSize / MIB / (hashMicros / 1e6) };
        },
      };
      const openssl: Contender = {
        name: 'openssl',
        measure: async () => ({ 'SHA-256 MiB a CPU second': (await bulkSpeed('sha256', MIB)) / MIB }),
      };
      const hasImgtool = versionOf('imgtool', ['version']) !== undefined;
      const rounds = await alternate(effort, [
        own,
        ...(hasOpenssl() ? [openssl] : []),
        ...(hasImgtool ? [imgtool(folder)] : []),
      ]);
      const hash = 'SHA-256 MiB a CPU second';
      const sign = 'CPU µs for 1 MiB';
      return {
        figures: rounds.figures(),
        targets: [
          ...(rounds.has('openssl')
            ? [atLeast('hash rate beside openssl speed', rounds.ratio(hash, 'holdfast', 'openssl'), 0.9)]
            : []),
          ...(rounds.has('imgtool')
            ? [atLeast('imgtool CPU an image, in times of ours', rounds.ratio(sign, 'imgtool', 'holdfast'), 20)]
            : []),
        ],
        notes: [
          ...(hasImgtool
            ? ['imgtool is run as a command, its start included, as build systems run it']
            : ['skipped: imgtool is not installed']),
          ...(hasOpenssl() ? [] : ['skipped: no openssl']),
        ],
      };
    }),
};
