import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Report } from '../stranger.ts';

const REPOSITORY = path.join(import.meta.dirname, '../../..');
const VITEST = path.join(REPOSITORY, 'node_modules/vitest/vitest.mjs');

/** What vitest's JSON reporter tells of a run. */
interface Told {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

/** Runs tests of the product that need something of somebody else's; `room` is the folder that has their settings. */
export async function runOutsideSuite(room: string, report: Report): Promise<void> {
  const config = path.join(REPOSITORY, 'interop/src', room, 'vitest.config.ts');
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-interop-'));
  const file = path.join(folder, 'told.json');
  try {
    const child = spawn(
      process.execPath,
      [VITEST, 'run', '--config', config, '--reporter=json', `--outputFile=${file}`],
      { cwd: REPOSITORY, stdio: 'ignore' },
    );
    await once(child, 'exit');
    for (const { name, message, assertionResults } of (JSON.parse(readFileSync(file, 'utf8')) as Told).testResults) {
      if (assertionResults.length === 0) report({ name, ok: false, detail: message });
      for (const { fullName, status, failureMessages } of assertionResults) {
        const detail = failureMessages?.[0]?.split('\n')[0];
        report({ name: fullName, ok: status === 'passed', ...(detail === undefined ? {} : { detail }) });
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
