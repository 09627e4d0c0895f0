import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ApiClient, ApiProblem, type RegisteredThing } from '@holdfast/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BulkResult, type BulkRun, runBulk } from './run-bulk.ts';

const FINGERPRINT = 'ab'.repeat(32);
const problem = (status: number, code: string) =>
  new ApiProblem({ type: 'about:blank', title: code, status, code, details: { rule: 'a-rule' } });

let folder: string;
let asked: string[];
let answer: (name: string) => RegisteredThing;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bulk-'));
  asked = [];
  answer = (device) => ({ kind: 'registered', device, certificateId: FINGERPRINT, certificatePem: 'PEM' });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const results = () => path.join(folder, 'results.jsonl');

/** A server that registers by the parameter `Name`. */
const client = {
  async call(_operation: string, { body }: { body: { parameters: Record<string, string> } }) {
    const name = body.parameters['Name'] ?? '';
    asked.push(name);
    return answer(name);
  },
} as unknown as ApiClient;

function run(lines: readonly string[], more: Partial<BulkRun> = {}) {
  const file = path.join(folder, 'devices.jsonl');
  writeFileSync(file, lines.join('\n'));
  const { signal } = new AbortController();
  const given = {
    client,
    template: 'bulk',
    file,
    results: results(),
    parallel: 4,
    signal,
    onProgress: () => undefined,
  };
  return runBulk({ ...given, ...more });
}

const lineOf = (Name: string) => JSON.stringify({ Name });
const written = () =>
  readFileSync(results(), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BulkResult);

describe('a bulk run', () => {
  it('registers each line and writes a result for each', async () => {
    expect(await run(['a', 'b', 'c'].map(lineOf))).toEqual({ lines: 3, registered: 3, skipped: 0, failed: 0 });
    const ends = written().map(({ line, kind }) => `${line} ${kind}`);
    expect(ends.toSorted()).toEqual(['1 registered', '2 registered', '3 registered']);
  });

  it('asks for nothing that is done, and again for what failed or changed', async () => {
    answer = (device) => {
      if (device === 'b') throw problem(403, 'identity.hook_denied');
      return { kind: 'registered', device, certificateId: FINGERPRINT, certificatePem: 'PEM' };
    };
    expect(await run(['a', 'b', 'c'].map(lineOf))).toMatchObject({ registered: 2, failed: 1 });
    expect(written().find(({ line }) => line === 2)).toMatchObject({
      kind: 'failed',
      code: 'identity.hook_denied',
      rule: 'a-rule',
    });
    asked = [];
    answer = (device) => ({ kind: 'already', device, certificateId: FINGERPRINT, certificatePem: 'PEM' });
    expect(await run(['a', 'b', 'd'].map(lineOf))).toEqual({ lines: 3, registered: 2, skipped: 1, failed: 0 });
    expect(asked.sort()).toEqual(['b', 'd']);
  });

  it('goes on behind a result that a crash cut short', async () => {
    await run(['a'].map(lineOf));
    appendFileSync(results(), '{"line":2,"sha');
    await run(['a', 'b'].map(lineOf));
    expect(
      readFileSync(results(), 'utf8')
        .split('\n')
        .filter((line) => line.includes('"kind"')),
    ).toHaveLength(2);
    asked = [];
    expect(await run(['a', 'b'].map(lineOf))).toMatchObject({ skipped: 2 });
    expect(asked).toEqual([]);
  });

  it.each([['no JSON'], ['["a"]'], ['{"Name":1}'], ['{"Name":"a","Name":"b"}'], [`{"Name":"${'x'.repeat(70_000)}"}`]])(
    'does not send %.20s',
    async (text) => {
      expect(await run([text, lineOf('good')])).toMatchObject({ registered: 1, failed: 1 });
      expect(written().find(({ line }) => line === 1)).toMatchObject({ kind: 'failed', code: 'wire.malformed' });
      expect(asked).toEqual(['good']);
    },
  );

  it('stops when the server cannot answer, and leaves what it did not do', async () => {
    answer = () => {
      throw problem(503, 'store.unavailable');
    };
    await expect(run([lineOf('a')])).rejects.toThrowError();
    expect(written()).toEqual([]);
  });

  it('stops between two lines when it is told to', async () => {
    const controller = new AbortController();
    answer = (device) => {
      controller.abort();
      return { kind: 'registered', device, certificateId: FINGERPRINT, certificatePem: 'PEM' };
    };
    const { lines } = await run(['a', 'b', 'c', 'd'].map(lineOf), { parallel: 1, signal: controller.signal });
    expect(lines).toBe(1);
  });
});
