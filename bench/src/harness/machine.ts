import { execFileSync } from 'node:child_process';
import { cpus, loadavg, totalmem } from 'node:os';

/** What a figure must be read with. Nothing else about the place is recorded. */
export interface Machine {
  readonly date: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly load: readonly number[];
  readonly node: string;
  readonly nodeOpenssl: string;
  /** Of the command, which the peers use as well; undefined when there is none. */
  readonly systemOpenssl: string | undefined;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: all.length,
    cpu: all[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: loadavg().map((value) => Math.round(value * 100) / 100),
    node: process.versions.node,
    nodeOpenssl: process.versions.openssl,
    systemOpenssl: versionOf('openssl', ['version'])?.split(' ')[1],
  };
}

/** First line of what a program says of itself; undefined when it is not installed. */
export function versionOf(program: string, args: readonly string[]): string | undefined {
  try {
    const text = execFileSync(program, [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return text.trim().split('\n')[0];
  } catch {
    return undefined;
  }
}
