import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { succeed, toolVersion } from './run-tool.ts';

const MODULE = path.join(import.meta.dirname, '../../go');
/** What `go.mod` asks for. */
const LEAST = [1, 24] as const;
const BUILD_LIMIT_MS = 300_000;

/** Version of what `go.mod` requires, or undefined when Go is missing or too old to build it. */
export async function goModuleVersion(name: string): Promise<string | undefined> {
  const version = await toolVersion('go', ['version'], /\d+\.\d+(?:\.\d+)?/);
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1])) return undefined;
  const line = readFileSync(path.join(MODULE, 'go.mod'), 'utf8')
    .split('\n')
    .find((each) => each.includes(`${name} v`));
  return line?.match(/ v(\S+)/)?.[1];
}

/** Builds a program of `interop/go`, or one that it requires, and lends it. */
export async function withGoProgram(name: string, use: (program: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-go-'));
  try {
    const program = path.join(folder, 'program');
    // A newer toolchain is never fetched unasked: what is here builds, or the stranger is missing.
    const env = { GOTOOLCHAIN: 'local' };
    await succeed('go', ['build', '-o', program, name], { cwd: MODULE, env, limitMs: BUILD_LIMIT_MS });
    await use(program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
