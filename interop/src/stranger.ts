import type { HoldfastWorld } from './world/holdfast-world.ts';

/** One line for everything that was tried. */
interface InteropLine {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}

export type Report = (line: InteropLine) => void;

/** A client or tool of somebody else's, and how it meets a running Holdfast. */
export interface Stranger {
  readonly name: string;
  readonly source: 'npm' | 'Debian' | 'PyPI' | 'Go' | 'kept here';
  /** What is done, in one line. */
  readonly deed: string;
  /** What brings it here when it is missing. */
  readonly install: string;
  /** Its version, or undefined when it is not here. */
  readonly version: () => Promise<string | undefined>;
  readonly meet: (world: HoldfastWorld, report: Report) => Promise<void>;
}

const CHECK_LIMIT_MS = 60_000;

/** Tries one thing: what it throws, or that it never ends, is the detail of a failure. */
export async function check(report: Report, name: string, action: () => Promise<void> | void): Promise<boolean> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no end after ${CHECK_LIMIT_MS / 1000} s`)), CHECK_LIMIT_MS);
  try {
    await Promise.race([action(), late]);
    report({ name, ok: true });
    return true;
  } catch (error) {
    report({ name, ok: false, detail: wordsOf(error) });
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** @throws when the two differ as JSON */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`${what}: ${is} instead of ${should}`);
}

export function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** What somebody else's library threw: not always an Error, not always with a message. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error);
  const cause = error.cause === undefined ? '' : ` (${wordsOf(error.cause)})`;
  return `${error.message}${cause}`;
}
