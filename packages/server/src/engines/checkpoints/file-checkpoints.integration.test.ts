import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileCheckpoints } from './file-checkpoints.ts';

const base = mkdtempSync(path.join(tmpdir(), 'holdfast-checkpoints-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let made = 0;
const fresh = () => path.join(base, `${made++}`);

describe('the checkpoint file', () => {
  it('gives back every note in order, also after it is opened again', async () => {
    const file = fresh();
    const notes = ['a\n\n— b c\n', 'd "quoted"\n', '\u2014'];
    const first = await FileCheckpoints.open(file);
    for (const note of notes.slice(0, 2)) await first.append(note);
    const second = await FileCheckpoints.open(file);
    await second.append(notes[2] ?? '');
    expect(await second.read()).toEqual(notes);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('drops a line torn by a crash, at whatever byte, and goes on', async () => {
    const file = fresh();
    const whole = await FileCheckpoints.open(file);
    await whole.append('first');
    await whole.append('second');
    const { length } = readFileSync(file);
    for (let cut = 1; cut < '"second"\n'.length; cut++) {
      const torn = fresh();
      writeFileSync(torn, readFileSync(file).subarray(0, length - cut));
      const again = await FileCheckpoints.open(torn);
      expect(await again.read()).toEqual(['first']);
      await again.append('third');
      expect(await again.read()).toEqual(['first', 'third']);
    }
  });

  it('writes over the piece a failed append left', async () => {
    const file = fresh();
    const checkpoints = await FileCheckpoints.open(file);
    await checkpoints.append('first');
    appendFileSync(file, '"half of a lon');
    await checkpoints.append('second');
    expect(await checkpoints.read()).toEqual(['first', 'second']);
  });

  it('refuses to go on when it lost what was appended', async () => {
    const file = fresh();
    const checkpoints = await FileCheckpoints.open(file);
    await checkpoints.append('first');
    truncateSync(file, 0);
    await expect(checkpoints.append('second')).rejects.toThrowError(
      expect.objectContaining({ code: 'audit.bad_checkpoint' }),
    );
  });

  it('keeps a foreign line as it is, so that its verifier can name it', async () => {
    const file = fresh();
    writeFileSync(file, '"first"\nnot json\n{"a":1}\n');
    expect(await (await FileCheckpoints.open(file)).read()).toEqual(['first', 'not json', '{"a":1}']);
  });

  it('thins old checkpoints once there are very many, never the recent ones', async () => {
    const file = fresh();
    writeFileSync(file, Array.from({ length: 20_001 }, (_, at) => `"${at}"\n`).join(''));
    const notes = await (await FileCheckpoints.open(file)).read();
    expect(notes.length).toBeLessThan(4000);
    expect(notes.slice(-2000)).toEqual(Array.from({ length: 2000 }, (_, at) => String(18_001 + at)));
  });

  it('thins them while it runs too, and goes on', async () => {
    const file = fresh();
    writeFileSync(file, Array.from({ length: 20_000 }, (_, at) => `"${at}"\n`).join(''));
    const checkpoints = await FileCheckpoints.open(file);
    await checkpoints.append('newest');
    await checkpoints.append('after it');
    const notes = await checkpoints.read();
    expect(notes.length).toBeLessThan(4000);
    expect(notes.slice(-2)).toEqual(['newest', 'after it']);
  });
});
