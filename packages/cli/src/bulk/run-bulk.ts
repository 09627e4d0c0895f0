import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { type ApiClient, ApiProblem, RegisterThing } from '@holdfast/api';
import { HoldfastError, parseStrictJson } from '@holdfast/kernel';

/** One line of the results, in the order the work ended; of several for one line of the file the last counts. */
export type BulkResult =
  | {
      readonly line: number;
      readonly sha256: string;
      readonly kind: 'registered' | 'already';
      readonly device: string;
      readonly certificateId: string;
      readonly certificatePem: string;
    }
  | {
      readonly line: number;
      readonly sha256: string;
      readonly kind: 'failed';
      readonly code: string;
      readonly rule?: string;
    };

export interface BulkSummary {
  readonly lines: number;
  readonly registered: number;
  /** Done by a run before. */
  readonly skipped: number;
  readonly failed: number;
}

export interface BulkRun {
  readonly client: ApiClient;
  readonly template: string;
  readonly file: string;
  readonly results: string;
  readonly parallel: number;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number) => void;
}

interface Line {
  readonly line: number;
  readonly sha256: string;
  readonly text: string;
}

const MAX_LINE = 65_536;
const NEWLINE = 0x0a;

/**
 * Registers a device for each line of a file, as AWS does with a thing registration task.
 *
 * What the results say is done is not asked for again, so that the same command goes on where it stopped; a line that
 * was registered while its answer was lost is answered as before.
 *
 * @throws what keeps the whole from going on, such as a server that does not answer
 */
export async function runBulk(run: BulkRun): Promise<BulkSummary> {
  const done = await readDone(run.results);
  const out = await open(run.results, 'a+', 0o600);
  const counts = { lines: 0, registered: 0, skipped: 0, failed: 0 };
  try {
    await endTornLine(out);
    const lines = linesOf(run.file);
    const work = async (): Promise<void> => {
      for (let next = await lines.next(); !next.done && !run.signal.aborted; next = await lines.next()) {
        counts.lines += 1;
        const { value } = next;
        if (done.has(keyOf(value))) counts.skipped += 1;
        else {
          const result = await register(run, value);
          await append(out, result);
          counts[result.kind === 'failed' ? 'failed' : 'registered'] += 1;
        }
        run.onProgress(counts.lines);
      }
    };
    await Promise.all(Array.from({ length: run.parallel }, work));
    await out.sync();
  } finally {
    await out.close();
  }
  return counts;
}

async function* linesOf(file: string): AsyncGenerator<Line, undefined> {
  let line = 0;
  if (!existsSync(file)) throw new HoldfastError('cli.file_unusable', { path: file });
  for await (const text of createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })) {
    line += 1;
    if (text.trim() !== '') yield { line, text, sha256: createHash('sha256').update(text).digest('hex') };
  }
  return undefined;
}

async function register({ client, template, signal }: BulkRun, { line, sha256, text }: Line): Promise<BulkResult> {
  const parameters = parametersIn(text);
  if (parameters === undefined) return { line, sha256, kind: 'failed', code: 'wire.malformed' };
  try {
    const made = await client.call('templates.register-thing', { template, body: { parameters }, signal });
    return { line, sha256, ...made };
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    const { code, details, status } = error.problem;
    // The server, not the line: the next one would fare no better.
    if (status >= 500 && code !== 'identity.hook_failed') throw error;
    const rule = details?.['rule'];
    return { line, sha256, kind: 'failed', code, ...(typeof rule === 'string' ? { rule } : {}) };
  }
}

function parametersIn(text: string): Record<string, string> | undefined {
  if (text.length > MAX_LINE) return undefined;
  try {
    return RegisterThing.parse({ parameters: parseStrictJson(text) }).parameters;
  } catch {
    return undefined;
  }
}

/** Lines of results that need not be done again; one that a crash cut short is none. */
async function readDone(results: string): Promise<ReadonlySet<string>> {
  const done = new Set<string>();
  if (!existsSync(results)) return done;
  for await (const text of createInterface({ input: createReadStream(results, 'utf8'), crlfDelay: Infinity })) {
    const result = resultIn(text);
    if (result === undefined) continue;
    if (result.kind === 'failed') done.delete(keyOf(result));
    else done.add(keyOf(result));
  }
  return done;
}

function resultIn(text: string): BulkResult | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const isResult = typeof parsed === 'object' && parsed !== null && 'sha256' in parsed && 'kind' in parsed;
    return isResult ? (parsed as BulkResult) : undefined;
  } catch {
    return undefined;
  }
}

const keyOf = ({ line, sha256 }: Pick<Line, 'line' | 'sha256'>): string => `${line} ${sha256}`;

/** A last line that a crash cut short must not swallow the next one. */
async function endTornLine(out: FileHandle): Promise<void> {
  const { size } = await out.stat();
  const { buffer } = await out.read({ buffer: new Uint8Array(1), position: Math.max(0, size - 1) });
  if (size > 0 && buffer[0] !== NEWLINE) await out.appendFile('\n');
}

async function append(out: FileHandle, result: BulkResult): Promise<void> {
  await out.appendFile(`${JSON.stringify(result)}\n`);
}
