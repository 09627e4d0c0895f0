import { type Clock, HoldfastError } from '@holdfast/kernel';

/** How long anything in the demo may take; a loaded machine is slow, not wrong. */
const PATIENCE_MS = 30_000;

const STEP_MS = 25;

/** @throws `kernel.aborted` */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new HoldfastError('kernel.aborted');
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  timer.cancel();
  if (signal.aborted) throw new HoldfastError('kernel.aborted');
}

export interface Waiting {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Between two questions. */
  readonly everyMs?: number;
}

/** Asks until there is an answer. @throws `cli.demo_timeout` naming what never came, `kernel.aborted` */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  { clock, signal, everyMs = STEP_MS }: Waiting,
): Promise<T> {
  const deadline = clock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (clock.monotonicMs() > deadline) throw new HoldfastError('cli.demo_timeout', { what });
    await pause(clock, everyMs, signal);
  }
}
