import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { alternate, atMost, type Bench, type BenchReport, type Contender } from '../harness/bench.ts';
import { withBrokers, withFolder } from '../harness/brokers.ts';
import { type Form, isBuilt, startHoldfast } from '../harness/holdfast-server.ts';
import { residentKiB } from '../harness/processes.ts';
import { withBareTls } from '../peers/bare-tls.ts';
import { startLoad } from '../generator/generator.ts';

const BOUNDS_MB: Readonly<Record<Form, number>> = { sources: 200, built: 150 };
const FIRST_S = 2;
const LATER_S = 1.2;

export const start: Bench = {
  name: 'start',
  words: 'from the process to an answer on every port, first and later; resident memory two seconds after that',
  run: (effort) =>
    withFolder(async (folder): Promise<BenchReport> => {
      const forms: readonly Form[] = isBuilt() ? ['sources', 'built'] : ['sources'];
      const contenders = forms.map(
        (form): Contender => ({
          name: form,
          measure: async (round) => {
            const dataFolder = path.join(folder, `${form}-${round}`);
            // A cache of its own per form: an installed Holdfast has started before, a data folder has not.
            const compileCache = path.join(folder, `cache-${form}`);
            const first = await startHoldfast({ dataFolder, form, compileCache });
            await first.stop();
            const later = await startHoldfast({ dataFolder, form, compileCache });
            await sleep(2000);
            const megabytes = (residentKiB(later.pid) * 1024) / 1e6;
            await later.stop();
            return {
              'first start s': first.readyMs / 1000,
              'later start s': later.readyMs / 1000,
              'idle memory MB': megabytes,
            };
          },
        }),
      );
      // The very first start of all also fills the compile cache; `npm ci` users see it once.
      for (const { measure } of contenders) await measure(-1);
      const rounds = await alternate(effort, contenders);
      return {
        figures: rounds.figures(),
        targets: forms.flatMap((form) => [
          atMost(`${form}: first start, seconds`, rounds.median(form, 'first start s'), FIRST_S),
          atMost(`${form}: later start, seconds`, rounds.median(form, 'later start s'), LATER_S),
          atMost(`${form}: idle memory, MB`, rounds.median(form, 'idle memory MB'), BOUNDS_MB[form]),
        ]),
        notes: [
          ...(isBuilt() ? [] : ['skipped: the built form, npm run build makes it']),
          'skipped: step-ca and hawkBit are not installed',
        ],
      };
    }),
};

export const connectionMemory: Bench = {
  name: 'connection-memory',
  words: 'resident memory of an idle MQTT connection over TLS',
  run: (effort) => {
    const count = effort.size(2000, 200);
    return withBrokers(count, ({ fleet, generator, subjects, notes }) =>
      withBareTls(fleet, async (bare): Promise<BenchReport> => {
        const contenders = [...subjects, { name: 'bare node:tls', ...bare }].map(
          ({ name, pid, port }): Contender => ({
            name,
            measure: async () => {
              const before = residentKiB(pid);
              const load = { mode: 'hold', port, count, window: count, seconds: 300 } as const;
              const hold = await startLoad(generator, fleet, load);
              await sleep(effort.size(3000, 500));
              const after = residentKiB(pid);
              await hold.stop();
              return { 'KiB a connection': (after - before) / count };
            },
          }),
        );
        // Once: memory that a process has grown into is not given back, so a second round would measure nothing.
        const rounds = await alternate({ ...effort, rounds: 1 }, contenders);
        const ratio = rounds.ratio('KiB a connection', 'holdfast', 'bare node:tls');
        return {
          figures: rounds.figures(),
          targets: [atMost('beside bare node:tls', ratio, 1.15)],
          notes: [...notes, `${count} connections, one round: a grown process does not shrink`],
        };
      }),
    );
  },
};
