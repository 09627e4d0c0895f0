import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lockDataFolder } from './data-folder.ts';

const base = mkdtempSync(path.join(tmpdir(), 'holdfast-lock-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const coded = (code: string) => expect.objectContaining({ code });

/** A process that holds the lock until it is killed. */
async function holder(folder: string) {
  const script = `const { lockDataFolder } = await import(${JSON.stringify(new URL('data-folder.ts', import.meta.url).href)});
    lockDataFolder(${JSON.stringify(folder)}); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

describe('the lock of the data folder', () => {
  it('makes a folder that only its owner may enter', () => {
    const folder = path.join(base, 'deep', 'fresh');
    const lock = lockDataFolder(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(lock.folder).toBe(folder);
    lock.release();
  });

  it('refuses a second holder in the same process until it is released', () => {
    const folder = path.join(base, 'twice');
    const first = lockDataFolder(folder);
    expect(() => lockDataFolder(folder)).toThrowError(coded('store.in_use'));
    expect(() => lockDataFolder(folder)).toThrowError(coded('store.in_use'));
    first.release();
    lockDataFolder(folder).release();
  });

  it('refuses a second process, and is free at once after kill -9', async () => {
    const folder = path.join(base, 'processes');
    const child = await holder(folder);
    expect(() => lockDataFolder(folder)).toThrowError(coded('store.in_use'));
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockDataFolder(folder).release();
  });

  it.each([0o750, 0o705, 0o777, 0o701])('refuses a folder of mode %o', (mode) => {
    const folder = path.join(base, `open-${mode}`);
    lockDataFolder(folder).release();
    chmodSync(folder, mode);
    expect(() => lockDataFolder(folder)).toThrowError(coded('store.exposed'));
  });

  it('says so when the folder cannot be made', () => {
    expect(() => lockDataFolder('/proc/holdfast')).toThrowError(coded('store.unavailable'));
  });
});
