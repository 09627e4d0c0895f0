import type { CommandIo } from '../output/io.ts';

/** A line that wraps is not cleared by going back to its beginning. */
const WIDTH = 72;
const CLEAR = '\r\u001b[2K';

/** One line that says what is being waited for; on a terminal only, and gone without a trace. */
export class ProgressLine {
  readonly #io: Pick<CommandIo, 'err' | 'errIsTerminal'>;

  constructor(io: Pick<CommandIo, 'err' | 'errIsTerminal'>) {
    this.#io = io;
  }

  show(text: string): void {
    if (this.#io.errIsTerminal) this.#io.err(`${CLEAR}  … ${text.slice(0, WIDTH)}`);
  }

  clear(): void {
    if (this.#io.errIsTerminal) this.#io.err(CLEAR);
  }
}
