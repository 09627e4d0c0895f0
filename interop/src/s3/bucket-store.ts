import type { TestProject } from 'vitest/node';
import { startMoto } from '../world/moto.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where moto answers as S3. */
    s3: string;
  }
}

/** One moto server for all files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { endpoint, stop } = await startMoto();
  project.provide('s3', endpoint);
  return stop;
}
