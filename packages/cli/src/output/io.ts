import { isatty } from 'node:tty';

/** Where a command writes. Data goes to `out`, everything else to `err`. */
export interface CommandIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether `out` is a terminal: tables are aligned and may be coloured there only. */
  readonly outIsTerminal: boolean;
  /** Whether `err` is a terminal: progress is shown there only. */
  readonly errIsTerminal: boolean;
  /** Whether somebody can be asked. */
  readonly inIsTerminal: boolean;
  /** False on NO_COLOR or without a terminal. */
  readonly colour: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The process' own streams. */
export function processIo(): CommandIo {
  const { stdout, stderr, env } = process;
  for (const stream of [stdout, stderr]) stream.on('error', endQuietly);
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    outIsTerminal: isatty(1),
    errIsTerminal: isatty(2),
    inIsTerminal: isatty(0),
    colour: isatty(1) && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    environment: env,
  };
}

/** A reader that has seen enough, as `head` has, is no failure; a server goes on without one. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
