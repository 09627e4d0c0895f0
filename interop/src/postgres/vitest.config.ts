import path from 'node:path';
import { defineConfig } from 'vitest/config';

const STAND_IN = path.join(import.meta.dirname, 'open-store.ts');

// What must hold on PostgreSQL: started by its stranger, not by `npm test`, which runs where there is none. Beside the
// files here it runs the product's own tests of what is kept, with PostgreSQL in the place of the embedded store.
export default defineConfig({
  resolve: { alias: [{ find: /^\.{1,2}\/(?:.*\/)?open-store\.ts$/, replacement: STAND_IN }] },
  test: {
    include: [
      'interop/src/postgres/**/*.postgres.ts',
      'packages/server/src/persistence/repositories/*.test.ts',
      'packages/server/src/doors/{attestation,ceremony,enrollment-claims,ocsp,peer-identity,revocation-mass}.test.ts',
      'packages/trust/src/audit/*.test.ts',
    ],
    globalSetup: path.join(import.meta.dirname, 'cluster.ts'),
    root: path.join(import.meta.dirname, '../../..'),
    pool: 'forks',
    fileParallelism: false,
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
