import { cpSync, existsSync, lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { atMost, type Bench, type BenchReport, spreadOf } from '../harness/bench.ts';
import { withFolder } from '../harness/brokers.ts';
import { REPOSITORY, run } from '../harness/processes.ts';

const FILES = ['package.json', 'package-lock.json'];
const MEGABYTE = 1e6;

function octetsUnder(folder: string, skip: (name: string) => boolean = () => false): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const at = path.join(folder, entry.name);
    if (skip(entry.name) || entry.isSymbolicLink()) return sum;
    return sum + (entry.isDirectory() ? octetsUnder(at) : lstatSync(at).size);
  }, 0);
}

export const install: Bench = {
  name: 'install-size',
  words: 'npm ci without development dependencies, Node itself aside, with the built packages',
  run: () =>
    withFolder(async (folder): Promise<BenchReport> => {
      for (const file of FILES) cpSync(path.join(REPOSITORY, file), path.join(folder, file));
      const members = [
        ...readdirSync(path.join(REPOSITORY, 'packages')).map((name) => path.join('packages', name)),
        'interop',
        'bench',
      ];
      for (const member of members)
        cpSync(path.join(REPOSITORY, member, 'package.json'), path.join(folder, member, 'package.json'));
      await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], {
        cwd: folder,
      });
      const isNode = (name: string): boolean => name.startsWith('node-linux-');
      const modules = octetsUnder(path.join(folder, 'node_modules'), isNode) / MEGABYTE;
      const dist = path.join(REPOSITORY, 'dist');
      const built = existsSync(dist) ? octetsUnder(dist) / MEGABYTE : 0;
      return {
        figures: [
          { subject: 'dependencies', metric: 'MB', spread: spreadOf([modules]) },
          { subject: 'built packages', metric: 'MB', spread: spreadOf([built]) },
        ],
        targets: [atMost('installed, MB', modules + built, 60)],
        notes: built === 0 ? ['skipped: the built packages, npm run build makes them'] : [],
      };
    }),
};
