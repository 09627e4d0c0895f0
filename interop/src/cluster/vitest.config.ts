import path from 'node:path';
import { defineConfig } from 'vitest/config';

// What must hold on three nodes: started by its stranger, not by `npm test`, which runs where there is no PostgreSQL
// and no NATS.
export default defineConfig({
  test: {
    include: ['interop/src/cluster/**/*.cluster.ts'],
    root: path.join(import.meta.dirname, '../../..'),
    pool: 'forks',
    fileParallelism: false,
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
