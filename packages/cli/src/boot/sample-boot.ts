import { HoldfastError } from '@holdfast/kernel';
import { AnswerIsNo } from '../output/failure.ts';
import type { CommandIo } from '../output/io.ts';
import { buildProgram } from '../program.ts';

/** How a command ended and what it wrote. */
interface Run {
  readonly exit: number;
  readonly code: string | undefined;
  readonly out: string;
  readonly err: string;
}

/** Runs `holdfast boot …` in this process. */
export async function boot(args: readonly string[], terminal = false): Promise<Run> {
  const written = { out: '', err: '' };
  const io: CommandIo = {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    outIsTerminal: terminal,
    errIsTerminal: false,
    inIsTerminal: false,
    colour: false,
    environment: { SECRET: 'open sesame' },
  };
  try {
    await (await buildProgram(['boot', ...args], io)).parseAsync(['boot', ...args], { from: 'user' });
    return { exit: 0, code: undefined, ...written };
  } catch (error) {
    if (error instanceof AnswerIsNo) return { exit: 1, code: undefined, ...written };
    if (HoldfastError.is(error)) return { exit: error.spec.exit, code: error.code, ...written };
    return { exit: 64, code: 'usage', ...written };
  }
}
