import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readBatch } from './batch-rows.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-batch-'));
afterAll(() => rmSync(folder, { recursive: true }));
const read = (text: string) => {
  const file = path.join(folder, 'devices.csv');
  writeFileSync(file, text);
  return readBatch(file);
};

describe('a batch file', () => {
  it('names devices, their groups, MAC addresses and attributes', async () => {
    const text = 'serial,mac,groups,attributes\nL-1,02-00-00-AB-00-01,pilot eu,"{""line"":""3""}"\nL-2,,,\n';
    expect(await read(text)).toEqual([
      { line: 2, serial: 'L-1', groups: ['pilot', 'eu'], attributes: { line: '3', mac: '02:00:00:ab:00:01' } },
      { line: 3, serial: 'L-2', groups: [], attributes: {} },
    ]);
    expect(await read('serial,mac\nL-1,020000AB0001\n')).toMatchObject([{ attributes: { mac: '02:00:00:ab:00:01' } }]);
  });

  it.each([
    ['a serial number with a slash', 'serial\na\n../b\n', 3],
    ['no serial number', 'serial,groups\n,x\n', 2],
    ['a serial number twice', 'serial\na\nb\na\n', 4],
    ['a MAC address twice, written otherwise', 'serial,mac\na,02:00:00:00:00:01\nb,02-00-00-00-00-01\n', 3],
    ['half a MAC address', 'serial,mac\na,02:00:00\n', 2],
    ['a MAC address of two forms', 'serial,mac\na,02:00-00:00:00:01\n', 2],
    ['a group with a slash', 'serial,groups\na,x/y\n', 2],
    ['attributes that are no object', 'serial,attributes\na,[]\n', 2],
    ['an attribute that is a number', 'serial,attributes\na,"{""x"":1}"\n', 2],
    ['an attribute twice', 'serial,attributes\na,"{""x"":""1"",""x"":""2""}"\n', 2],
  ])('is refused as a whole for %s', async (_name, text, line) => {
    await expect(read(text)).rejects.toThrowError(
      expect.objectContaining({ code: 'cli.bad_table', details: expect.objectContaining({ line }) }),
    );
  });

  it('is refused without a row', async () => {
    await expect(read('serial\n')).rejects.toThrowError(expect.objectContaining({ code: 'cli.bad_table' }));
  });
});
