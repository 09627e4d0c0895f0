import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTaken, pairOfPorts } from './port-pair.ts';
import { succeed } from './run-tool.ts';
import { TpmRelay } from './tpm-relay.ts';

const PROGRAM = 'swtpm';
const ATTEMPTS = 100;
const PAUSE_MS = 50;

/** A TPM 2.0 of swtpm with the endorsement certificate of its own local authority, behind a relay. */
export class SwTpm {
  readonly #relay: TpmRelay;
  readonly #stop: () => void;

  static async start(folder: string): Promise<SwTpm> {
    const state = path.join(folder, 'tpm');
    mkdirSync(state, { recursive: true });
    await succeed('swtpm_setup', ['--tpm2', '--tpmstate', state, '--create-ek-cert', '--lock-nvram', '--overwrite']);
    const port = await pairOfPorts();
    const at = (which: number): string => `type=tcp,port=${which},bindaddr=127.0.0.1`;
    const flags = ['--server', at(port), '--ctrl', at(port + 1), '--flags', 'not-need-init,startup-clear'];
    const child = spawn(PROGRAM, ['socket', '--tpm2', '--tpmstate', `dir=${state}`, ...flags], { stdio: 'ignore' });
    const stop = (): void => void child.kill('SIGKILL');
    process.once('exit', stop);
    await untilListening(port);
    return new SwTpm(await TpmRelay.open(port), stop);
  }

  private constructor(relay: TpmRelay, stop: () => void) {
    this.#relay = relay;
    this.#stop = stop;
  }

  /** As `Tpm.open` and the tools of tpm2-software take it. */
  get address(): string {
    return `swtpm:host=127.0.0.1,port=${this.#relay.port}`;
  }

  /** What tpm2-tools and the OpenSSL provider read. */
  get environment(): Readonly<Record<string, string>> {
    return { TPM2TOOLS_TCTI: this.address, TPM2OPENSSL_TCTI: this.address, TSS2_LOG: 'all+NONE' };
  }

  close(): void {
    this.#relay.close();
    this.#stop();
  }
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await isTaken(port)) return;
    await sleep(PAUSE_MS);
  }
  throw new Error('swtpm does not listen');
}
