import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const LAUNCHER = fileURLToPath(new URL('launch.js', import.meta.url));
/** Makes this runtime say that it is an old one. */
const OLD =
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.19.0"}})';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-launch-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], onReady?: (kill: (signal: NodeJS.Signals) => void) => void): Promise<Ended> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    if (stdout.includes('ready')) onReady?.((signal) => child.kill(signal));
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

function script(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** The launcher in a project of its own, with or without a packaged Node. */
function project(name: string, packaged?: string): string {
  const root = path.join(folder, name);
  mkdirSync(path.join(root, 'scripts'), { recursive: true });
  copyFileSync(LAUNCHER, path.join(root, 'scripts', 'launch.js'));
  writeFileSync(path.join(root, 'package.json'), '{"type":"module"}');
  if (packaged !== undefined) {
    const bin = path.join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(path.join(bin, 'node'), packaged, { mode: 0o755 });
  }
  return path.join(root, 'scripts', 'launch.js');
}

describe('the launcher', () => {
  it.each([0, 1, 78, 130])('ends with exit code %i when the program does', async (code) => {
    expect((await run([LAUNCHER, script(`exit-${code}.js`, `process.exit(${code})`)])).code).toBe(code);
  });

  it('hands on arguments and streams as they are', async () => {
    const file = script('echo.js', 'console.log(JSON.stringify(process.argv.slice(2))); console.error("to stderr")');
    const { stdout, stderr } = await run([LAUNCHER, file, 'a b', '--flag=*', '']);
    expect([stdout, stderr]).toEqual(['["a b","--flag=*",""]\n', 'to stderr\n']);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('hands on %s and ends as the program decides', async (signal) => {
    const file = script(
      `on-${signal}.js`,
      `process.on("${signal}", () => process.exit(33)); setInterval(() => undefined, 1000); console.log("ready")`,
    );
    expect((await run([LAUNCHER, file], (kill) => kill(signal))).code).toBe(33);
  });

  it('stops what it started when npm was told to stop and its shell died of it', async () => {
    const file = script(
      'orphan.js',
      'process.on("SIGTERM", () => { console.log("stopped"); process.exit(0); }); setInterval(() => undefined, 1000); console.log("ready")',
    );
    const npmShell = spawn('sh', ['-c', `"${process.execPath}" "${LAUNCHER}" "${file}"; true`], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, npm_lifecycle_event: 'start' },
    });
    let stdout = '';
    const closed = new Promise((resolve) => npmShell.stdout.once('close', resolve));
    npmShell.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout === 'ready\n') npmShell.kill('SIGTERM');
    });
    await closed;
    expect(stdout).toBe('ready\nstopped\n');
  });

  it('ends with 128 and the number of the signal that killed the program', async () => {
    const file = script('killed.js', 'process.kill(process.pid, "SIGKILL")');
    expect((await run([LAUNCHER, file])).code).toBe(137);
  });

  it('takes the packaged Node where its own is too old', async () => {
    const launcher = project('packaged', '#!/bin/sh\necho "packaged $*"\nexit 5\n');
    const { code, stdout } = await run(['--import', OLD, launcher, 'main.ts', 'up']);
    expect([code, stdout]).toEqual([5, 'packaged main.ts up\n']);
  });

  it('says plainly that no Node fits, with one next step, and ends with 78', async () => {
    const { code, stdout, stderr } = await run(['--import', OLD, project('bare'), 'main.ts']);
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toMatch(/^Holdfast needs Node 24 or newer; this is v\S+ on \S+\.\nNext step: .+\n$/);
  });

  it('says plainly that the packaged Node cannot run, and ends with 70', async () => {
    const launcher = project('broken', 'no program');
    const { code, stderr } = await run(['--import', OLD, launcher, 'main.ts']);
    expect(code).not.toBe(0);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
