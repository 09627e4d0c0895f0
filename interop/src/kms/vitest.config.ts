import path from 'node:path';
import { defineConfig } from 'vitest/config';

// What must hold with keys in KMS: started by its stranger, not by `npm test`, which runs where there is none.
export default defineConfig({
  test: {
    include: ['interop/src/kms/**/*.kms.ts'],
    globalSetup: path.join(import.meta.dirname, 'key-service.ts'),
    root: path.join(import.meta.dirname, '../../..'),
    pool: 'forks',
    fileParallelism: false,
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
