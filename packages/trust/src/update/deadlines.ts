import { type Clock, HoldfastError, type Log, type Timer } from '@holdfast/kernel';
import type { ExecutionRecord, UpdateRepositories } from '../ports/index.ts';
import type { ExecutionWriter } from './execution-writer.ts';

export interface DeadlinePorts extends Pick<UpdateRepositories, 'executions'> {
  readonly clock: Clock;
  readonly log: Log;
  readonly writer: ExecutionWriter;
}

const PERIOD_MS = 1000;
const BATCH = 200;

/** Ends executions at their time limits. The limits are rows, so a restart forgets none. */
export class Deadlines {
  readonly #ports: DeadlinePorts;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;

  constructor(ports: DeadlinePorts) {
    this.#ports = ports;
  }

  start(): void {
    const { clock, log } = this.#ports;
    this.#timer ??= clock.every(PERIOD_MS, () => {
      this.#running ??= this.run()
        .catch((error: unknown) => log.warn('time limits were not checked', { code: codeOf(error) }))
        .finally(() => {
          this.#running = undefined;
        });
    });
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#running;
  }

  /** Ends everything that is due now; what cannot be ended keeps no other from its end. */
  async run(): Promise<void> {
    const { clock, executions } = this.#ports;
    for (;;) {
      const due = await executions.due(clock.now(), BATCH);
      let ended = 0;
      for (const execution of due) if (await this.#end(execution)) ended += 1;
      if (due.length < BATCH || ended === 0) return;
    }
  }

  async #end(execution: ExecutionRecord): Promise<boolean> {
    const reason = execution.awaitingProof ? 'no proof within the time limit' : 'time limit';
    const { deviceId, jobId } = execution;
    try {
      await this.#ports.writer.step(execution, 'time-out', { actor: 'system', reason });
      return true;
    } catch (error) {
      // The device was faster; if its limit still holds, the next round ends it.
      if (!HoldfastError.is(error, 'store.conflict')) {
        this.#ports.log.warn('a job was not ended at its time limit', { deviceId, jobId, code: codeOf(error) });
      }
      return false;
    }
  }
}

function codeOf(error: unknown): string {
  return HoldfastError.is(error) ? error.code : 'kernel.internal';
}
