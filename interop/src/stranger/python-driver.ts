import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';

/** What a driver answers to one request. */
export interface DriverAnswer {
  readonly ok: boolean;
  readonly error?: string;
  readonly output?: string;
  readonly version?: string;
}

/** A vendor tool kept alive as a module in one Python process: one JSON request, one JSON answer a line. */
export class PythonDriver {
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #answers: AsyncIterator<string>;

  constructor(script: string, python = process.env['HOLDFAST_PYTHON'] ?? 'python3') {
    const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'ignore'] });
    // A missing interpreter shows as the end of its output, and a request to it must not end us.
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined);
    this.#child = child;
    this.#input = child.stdin;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** The answer, or undefined when the tool or its interpreter is not there. */
  async ask(request: Readonly<Record<string, unknown>>): Promise<DriverAnswer | undefined> {
    this.#input.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    return done === true ? undefined : (JSON.parse(value) as DriverAnswer);
  }

  close(): void {
    this.#input.end();
    this.#child.kill();
  }
}
