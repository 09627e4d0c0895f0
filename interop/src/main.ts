// Meets every stranger with a fresh server and prints what came of it:
//
//   npm run interop -- [--require-all] [--only NAME[,NAME ...]] [--verbose]
//
// A stranger that is not installed is a printed line; with --require-all it is a failure.
import { parseArgs } from 'node:util';
import { type Stranger, wordsOf } from './stranger.ts';
import { STRANGERS } from './strangers.ts';
import { HoldfastWorld } from './world/holdfast-world.ts';

interface Counts {
  passed: number;
  failed: number;
  missing: number;
}

interface Settings {
  readonly requireAll: boolean;
  readonly verbose: boolean;
}

async function meet(stranger: Stranger, world: HoldfastWorld, counts: Counts, settings: Settings): Promise<void> {
  const { name, source, deed, install } = stranger;
  const version = await stranger.version();
  if (version === undefined) {
    counts[settings.requireAll ? 'failed' : 'missing'] += 1;
    console.log(`missing  ${name} (${source}); ${install}`);
    return;
  }
  const own = { passed: 0, failed: 0 };
  const began = performance.now();
  try {
    await stranger.meet(world, (line) => {
      own[line.ok ? 'passed' : 'failed'] += 1;
      if (settings.verbose || !line.ok) {
        const because = line.ok || line.detail === undefined ? '' : `: ${line.detail}`;
        console.log(`         ${line.ok ? 'ok    ' : 'failed'}  ${line.name}${because}`);
      }
    });
  } catch (error) {
    own.failed += 1;
    console.log(`         failed  it broke off: ${wordsOf(error)}`);
  }
  // Silence is not agreement.
  if (own.passed + own.failed === 0) own.failed = 1;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const of = own.failed === 0 ? `${own.passed}` : `${own.passed} of ${own.passed + own.failed}`;
  console.log(
    `${own.failed === 0 ? 'ok     ' : 'failed '}  ${name} ${version} (${source}): ${deed} [${of} checks, ${seconds} s]`,
  );
  counts.passed += own.passed;
  counts.failed += own.failed;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      'require-all': { type: 'boolean', default: false },
      only: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const only = values.only?.split(',');
  const chosen = STRANGERS.filter(({ name }) => only === undefined || only.some((part) => name.includes(part)));
  const counts = { passed: 0, failed: 0, missing: 0 };
  const world = await HoldfastWorld.open();
  try {
    for (const stranger of chosen) {
      await meet(stranger, world, counts, { requireAll: values['require-all'], verbose: values.verbose });
    }
    if (counts.failed > 0 && values.verbose) console.log(`what the server said:\n${world.log}`);
  } finally {
    await world.close();
  }
  if (counts.missing > 0) console.log(`${counts.missing} not installed here`);
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

// An exit, other than a signal, takes the server with it.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

// Native clients keep threads of their own that would hold the process.
process.exit(await main());
