import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestSystem } from '../packages/server/src/system/testing/system.ts';

const HOLDFAST = fileURLToPath(new URL('holdfast.js', import.meta.url));
const ANSI = '\u001b[';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** There is no such command on this machine. */
  readonly missing: boolean;
}

let system: TestSystem;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-cli-'));
  system = await TestSystem.start();
  await system.addProduct('lamp');
  await system.enroll('lamp-1');
  await system.enroll('lamp-2');
  writeFileSync(path.join(folder, 'noise.bin'), Buffer.alloc(5_000, 7));
});
afterAll(async () => {
  await system.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Never synchronously: the server it speaks to runs in this very process. */
function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, HOLDFAST_DATA: system.data, ...env }, timeout: 20_000 };
    execFile(command, args, options, (error, stdout, stderr) => {
      const missing = error?.code === 'ENOENT';
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr, missing });
    });
  });
}

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => start(process.execPath, [HOLDFAST, ...args], env);

const file = (name: string) => path.join(folder, name);

interface Row {
  readonly args: string;
  readonly exit: number;
  /** Stable code at the end of the error line. */
  readonly code?: string;
  readonly stdout?: RegExp;
}

/** `{x}` is a file in the folder of this test. */
const ROWS: readonly Row[] = [
  { args: 'identity list', exit: 0, stdout: /^(lamp-\d\tlamp\tactive(\t[^\t\n]*){4}\n){2}$/ },
  { args: 'identity show lamp-1', exit: 0, stdout: /^device\tlamp-1\n/ },
  { args: 'product list', exit: 0, stdout: /^lamp\t/ },
  { args: 'identity claim list', exit: 0, stdout: /^([^\t\n]+(\t[^\t\n]*)+\n)+$/ },
  { args: 'update release list', exit: 0, stdout: /^$/ },
  { args: 'audit verify', exit: 0, stdout: /^log\tintact\n/ },
  { args: 'config explain', exit: 0, stdout: /^data\t/ },
  { args: 'status', exit: 0, stdout: /^version\t/ },
  { args: '--version', exit: 0, stdout: /^\d+\.\d+\.\d+\n$/ },
  { args: '--help', exit: 0, stdout: /^Usage: holdfast/ },
  { args: 'identity list --help', exit: 0, stdout: /^Usage: holdfast identity list/ },
  { args: '', exit: 64 },
  { args: 'nothing', exit: 64 },
  { args: 'identity', exit: 64 },
  { args: 'identity nothing', exit: 64 },
  { args: 'identity list --nothing', exit: 64 },
  { args: 'identity show', exit: 64 },
  { args: 'identity create x', exit: 64 },
  { args: 'identity list --limit many', exit: 64 },
  { args: 'identity create x --product lamp --ueid none', exit: 64 },
  { args: 'identity show nobody', exit: 66, code: 'identity.unknown_device' },
  { args: 'identity create new --product none', exit: 66, code: 'identity.unknown_product' },
  { args: 'update release show nobody', exit: 66, code: 'update.unknown_release' },
  { args: 'update rollout show nobody', exit: 66, code: 'update.unknown_rollout' },
  { args: 'status --data {nowhere}', exit: 69, code: 'server.unreachable' },
  { args: 'up --data {other} --log-level loud', exit: 78, code: 'server.bad_config' },
  { args: 'up --data {other} --config {noise.bin}', exit: 78, code: 'server.bad_config' },
  { args: 'boot inspect {noise.bin}', exit: 1, code: 'boot.bad_magic' },
  { args: 'boot inspect {missing.bin}', exit: 66 },
];

describe('the command line', () => {
  it.each(ROWS)('holdfast $args ends with $exit', async ({ args, exit, code, stdout }) => {
    const words = args.split(' ').filter((word) => word !== '');
    const ended = await run(words.map((word) => word.replace(/^\{(.+)\}$/, (_, name: string) => file(name))));
    expect([ended.code, ended.stderr]).toEqual([exit, ended.stderr]);
    if (stdout !== undefined) expect(ended.stdout).toMatch(stdout);
    else expect(ended.stdout).toBe('');
    if (code !== undefined) expect(ended.stderr).toMatch(new RegExp(`^holdfast: .+ \\[${code}\\] next: .+\\n$`));
    if (exit === 1 || exit >= 65) expect(ended.stderr).toMatch(/\[[a-z]+\.[a-z_]+\] next: \S.*\n$/);
    if (exit === 64) expect(ended.stderr).toMatch(/^holdfast: .+ \[cli\.usage\] next: holdfast .*--help.*\n$|Usage: /);
    expect(ended.stdout + ended.stderr).not.toContain(ANSI);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  it.each(['identity list', 'identity show lamp-1', 'status', 'audit verify', 'config explain', 'doctor'])(
    'holdfast %s --json prints one document and nothing else, whatever the environment says of colours',
    async (args) => {
      const { stdout } = await run([...args.split(' '), '--json'], { FORCE_COLOR: '3', CLICOLOR_FORCE: '1' });
      expect(() => JSON.parse(stdout) as unknown).not.toThrow();
      expect(stdout).not.toContain(ANSI);
      expect(stdout).toMatch(/^[[{][\s\S]*[\]}]\n$/);
    },
  );

  it('prints a table with a header on a terminal, coloured only where NO_COLOR is not set', async () => {
    const command = `"${process.execPath}" "${HOLDFAST}" identity list`;
    const onTerminal = (env: NodeJS.ProcessEnv) => start('script', ['-qec', command, '/dev/null'], env);
    const coloured = await onTerminal({ TERM: 'xterm', NO_COLOR: '' });
    if (coloured.missing) {
      process.stdout.write('script is not installed: what a terminal is shown is not looked at\n');
      return;
    }
    expect(coloured.stdout).toContain(ANSI);
    expect(coloured.stdout).toMatch(/DEVICE +PRODUCT +STATE/);
    for (const env of [
      { TERM: 'xterm', NO_COLOR: '1' },
      { TERM: 'dumb', NO_COLOR: '' },
    ]) {
      const { stdout } = await onTerminal(env);
      expect(stdout).toMatch(/DEVICE +PRODUCT +STATE/);
      expect(stdout).not.toContain(ANSI);
    }
  });

  it('ends quietly when nobody reads what it prints', async () => {
    const { stderr } = await start('sh', ['-c', `"${process.execPath}" "${HOLDFAST}" config explain | true`]);
    expect(stderr).toBe('');
  });

  it('repeats no secret that was given in a wrong place', async () => {
    const { stderr, code } = await run(['up', '--data', file('other'), '--root-key', 'canary-in-clear']);
    expect([code, stderr.includes('canary-in-clear')]).toEqual([78, false]);
  });
});
