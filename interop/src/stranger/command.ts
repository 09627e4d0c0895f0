import { spawnSync } from 'node:child_process';

/** What a program said. */
export interface CommandAnswer {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs a vendor's program; one that is not there answers with not ok. */
export function runCommand(program: string, args: readonly string[], cwd: string): CommandAnswer {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return { ok: status === 0, output: `${stdout ?? ''}${stderr ?? ''}`.trim() };
}

/** The first words a program says of its version, or undefined when it is not installed. */
export function versionOf(program: string, args: readonly string[]): string | undefined {
  const { ok, output } = runCommand(program, args, '/');
  return ok ? output.split('\n')[0] : undefined;
}
