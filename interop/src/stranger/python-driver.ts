import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** What a tool answered to one command line. */
export interface DriverAnswer {
  readonly ok: boolean;
  readonly error?: string;
  readonly output?: string;
  readonly version?: string;
}

/** Receives one line for everything that was compared. */
export type InteropReport = (line: { readonly name: string; readonly ok: boolean; readonly detail?: string }) => void;

const DRIVER = fileURLToPath(new URL('../../python/click_driver.py', import.meta.url));

/** Tools whose Python packages do not live together with the others': each has a virtual environment of its own. */
export type PythonGroup = 'nordic' | 'nxp' | 'psoc64';

export type PythonTool = readonly [command: string, distribution: string, group?: PythonGroup];

/** HOLDFAST_PYTHON_GROUPS names the folder with an environment for each group; HOLDFAST_PYTHON has all the others. */
function interpreterOf(group: PythonGroup | undefined): string {
  const folder = process.env['HOLDFAST_PYTHON_GROUPS'];
  if (group === undefined || folder === undefined) return process.env['HOLDFAST_PYTHON'] ?? 'python3';
  return path.join(folder, group, 'bin', 'python');
}

/** A vendor's command line kept alive as a module in one Python process. */
export class PythonDriver {
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #answers: AsyncIterator<string>;

  /** @param tool - `module:command`, the distribution it comes from, and its group where it lives apart. */
  constructor([command, distribution, group]: PythonTool) {
    const child = spawn(interpreterOf(group), [DRIVER, command, distribution], { stdio: ['pipe', 'pipe', 'ignore'] });
    // A missing interpreter shows as the end of its output, and a request to it must not end us.
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined);
    this.#child = child;
    this.#input = child.stdin;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** The version of the tool, or undefined when it or its interpreter is not there. */
  async version(): Promise<string | undefined> {
    return (await this.#ask({})).version;
  }

  /** Runs one command line. */
  async run(args: readonly string[]): Promise<DriverAnswer> {
    return await this.#ask({ args });
  }

  close(): void {
    this.#input.end();
    this.#child.kill();
  }

  async #ask(request: Readonly<Record<string, unknown>>): Promise<DriverAnswer> {
    this.#input.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    return done === true ? { ok: false, error: 'the tool is gone' } : (JSON.parse(value) as DriverAnswer);
  }
}

/** Runs a comparison from the command line: prints what differs and the counts, and sets the exit code. */
export async function runAlone(
  tool: string,
  compare: (report: InteropReport, cases: number) => Promise<boolean>,
): Promise<void> {
  const counts = { agree: 0, differ: 0 };
  const ran = await compare(
    ({ name, ok, detail }) => {
      counts[ok ? 'agree' : 'differ'] += 1;
      if (!ok) console.error(`not ok: ${name}: ${detail ?? ''}`);
    },
    Number(process.argv[2] ?? 40),
  );
  console.log(
    ran ? `${tool}: ${counts.agree} agree, ${counts.differ} differ` : `${tool} is not installed: pip install ${tool}`,
  );
  process.exitCode = counts.differ === 0 ? 0 : 1;
}
