import { defineConfig } from 'vitest/config';

const INTEGRATION = '**/*.integration.test.ts';
const IGNORED = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  test: {
    // A poll ends as soon as it may; the second that is the default is too short for a busy machine.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.{ts,tsx}',
            'scripts/*.test.ts',
            'interop/src/**/*.test.ts',
            'bench/src/**/*.test.ts',
          ],
          exclude: [...IGNORED, INTEGRATION],
          pool: 'threads',
          isolate: false,
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: [INTEGRATION],
          exclude: IGNORED,
          pool: 'forks',
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
