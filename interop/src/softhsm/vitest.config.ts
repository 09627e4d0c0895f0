import path from 'node:path';
import { defineConfig } from 'vitest/config';

// What must hold with keys in a token: started by its stranger, not by `npm test`, which runs where there is none.
export default defineConfig({
  test: {
    include: ['interop/src/softhsm/**/*.softhsm.ts'],
    globalSetup: path.join(import.meta.dirname, 'soft-token.ts'),
    root: path.join(import.meta.dirname, '../../..'),
    pool: 'forks',
    fileParallelism: false,
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
});
