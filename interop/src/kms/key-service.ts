import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { startMoto } from '../world/moto.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where moto answers as KMS, and its process. */
    kms: { readonly endpoint: string; readonly pid: number };
  }
}

const SCRIPT = path.join(import.meta.dirname, '../../python/moto_kms.py');

/** One moto server for all files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { endpoint, pid, stop } = await startMoto([SCRIPT]);
  project.provide('kms', { endpoint, pid });
  return stop;
}
