import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface BrokerProgram {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts the program that third-party suites are run against, on a free port. */
export async function startBrokerProgram(profile: 'mqtt' | 'aws' = 'mqtt'): Promise<BrokerProgram> {
  const script = new URL('../../../../../../interop/src/conformance/broker.ts', import.meta.url);
  const program = spawn(process.execPath, [script.pathname, '--port', '0', '--profile', profile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: program.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  return {
    port: Number(/:(\d+),/.exec(line)?.[1]),
    async stop() {
      program.kill('SIGTERM');
      await once(program, 'exit');
    },
  };
}
