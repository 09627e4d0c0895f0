import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestSystem } from '../../../server/src/system/testing/system.ts';

const HOLDFAST = fileURLToPath(new URL('../../../../scripts/holdfast.js', import.meta.url));
const run = promisify(execFile);

let system: TestSystem;
let other: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start();
  other = await TestSystem.start();
  for (const each of [system, other]) await each.addProduct('lamp');
});
afterAll(() => Promise.all([system.close(), other.close()]));

const file = (name: string) => path.join(system.folder, name);

function holdfast(at: TestSystem, ...args: readonly string[]) {
  const env = { ...process.env, HOLDFAST_DATA: at.data };
  return run(process.execPath, [HOLDFAST, 'identity', ...args], { env, maxBuffer: 1e9 }).then(
    ({ stdout, stderr }) => ({ exit: 0, out: stdout, err: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      exit: error.code,
      out: error.stdout,
      err: error.stderr,
    }),
  );
}

function table(name: string, ...lines: readonly string[]): string {
  writeFileSync(file(name), `${lines.join('\n')}\n`);
  return file(name);
}

const withoutTimes = (text: string) => text.replaceAll(/"createdAt":"[^"]*"/g, '');

describe('export and import of the registry', () => {
  it('carries groups, attributes and states to another installation, and does nothing the second time', async () => {
    await system.enroll('lamp-1');
    await system.enroll('lamp-2');
    const rows = table(
      'rows.jsonl',
      '{"id":"lamp-1","product":"lamp","groups":["pilot","eu"],"attributes":{"note":"a, \\"b\\"\\n\\u0085"}}',
      '{"id":"lamp-2","product":"lamp","state":"revoked"}',
      '{"id":"lamp-3","serial":"S-3","product":"lamp","state":"suspended"}',
    );
    const brought = await holdfast(system, 'import', rows, '--json');
    expect([brought.exit, JSON.parse(brought.out)]).toEqual([
      0,
      { dryRun: false, created: 1, changed: 2, unchanged: 0 },
    ]);
    for (const name of ['all.csv', 'all.jsonl']) {
      expect(await holdfast(system, 'export', '--out', file(name))).toMatchObject({ exit: 0, err: '3 devices\n' });
    }
    expect((await holdfast(system, 'export')).out).toBe(readFileSync(file('all.csv'), 'utf8'));
    expect((await holdfast(system, 'export', '--state', 'revoked')).out.split('\n')).toHaveLength(3);

    const there = await holdfast(other, 'import', file('all.csv'));
    expect([there.exit, there.out]).toEqual([0, 'created\t3\nchanged\t0\nunchanged\t0\n']);
    const shown = await other.api.call('devices.show', { device: 'lamp-1' });
    expect(shown).toMatchObject({ state: 'established', groups: ['eu', 'pilot'], certificates: [] });
    expect(shown.attributes).toEqual({ note: 'a, "b"\n\u{85}' });
    expect((await other.api.call('devices.show', { device: 'lamp-2' })).state).toBe('revoked');
    for (const name of ['all.csv', 'all.jsonl']) {
      expect((await holdfast(system, 'import', file(name))).out).toBe('created\t0\nchanged\t0\nunchanged\t3\n');
    }
    const back = await holdfast(other, 'export', '--format', 'jsonl', '--prefix', 'lamp-3');
    const [, , third] = readFileSync(file('all.jsonl'), 'utf8').split('\n');
    expect(withoutTimes(back.out.trim())).toBe(withoutTimes(third ?? ''));
  });

  it('writes nothing when one row is refused, and names the line', async () => {
    const rows = table('bad.csv', 'id,product,state', 'lamp-8,lamp,', 'lamp-2,lamp,active', 'lamp-9,kettle,');
    const refused = await holdfast(system, 'import', rows);
    expect(refused.exit).toBe(65);
    expect(refused.err).toContain('line 3: lamp-2 is refused: identity.import_loosens, never-loosened');
    expect(refused.err).toContain('line 4: lamp-9 is refused: identity.unknown_product');
    expect(refused.err).toMatch(/refused 2, of 3 \[cli\.rows_refused\]/);
    expect((await system.api.call('devices.list', { query: { prefix: 'lamp-8' } })).rows).toEqual([]);
  });

  it('only looks with --dry-run', async () => {
    const rows = table('new.csv', 'id,product', 'lamp-7,lamp');
    expect((await holdfast(system, 'import', rows, '--dry-run')).out).toBe('created\t1\nchanged\t0\nunchanged\t0\n');
    expect((await system.api.call('devices.list', { query: { prefix: 'lamp-7' } })).rows).toEqual([]);
  });

  it.each([
    ['an id twice', 'twice.csv', ['id,product', 'a,lamp', 'a,lamp'], /line 3, reason id as in line 2/],
    [
      'a serial number twice',
      'serials.csv',
      ['id,serial,product', 'a,s,lamp', 'b,s,lamp'],
      /line 3, reason serial as in/,
    ],
    ['attributes that are no object', 'list.csv', ['id,product,attributes', 'a,lamp,[]'], /line 2, column attributes/],
    ['a state nobody knows', 'state.csv', ['id,product,state', 'a,lamp,lost'], /line 2, column state/],
    ['a field nobody knows', 'field.jsonl', ['{"id":"a","product":"lamp","role":"x"}'], /line 1/],
    ['a key twice', 'key.jsonl', ['{"id":"a","product":"lamp"}', '{"id":"b","id":"c","product":"lamp"}'], /line 2/],
    ['half a line', 'half.jsonl', ['{"id":"a",'], /line 1/],
  ])('refuses %s', async (_name, name, lines, words) => {
    const refused = await holdfast(system, 'import', table(name, ...lines));
    expect([refused.exit, refused.err]).toEqual([65, expect.stringMatching(words)]);
    expect(refused.err).toContain('[cli.bad_table]');
  });

  it('overwrites no file', async () => {
    const kept = readFileSync(file('all.csv'), 'utf8');
    expect((await holdfast(system, 'export', '--out', file('all.csv'))).err).toContain('[cli.file_exists]');
    expect(readFileSync(file('all.csv'), 'utf8')).toBe(kept);
    expect(existsSync(file('all.csv.part'))).toBe(false);
  });
});
