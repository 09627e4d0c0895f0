import { type Clock, HoldfastError } from '@holdfast/kernel';

/** How long anything in the demo may take; a loaded machine is slow, not wrong. */
const PATIENCE_MS = 30_000;

/** How long is waited for what may never come, when its absence is itself what was to be found out. */
const SOON_MS = 8000;

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
export async function until<T>(what: string, ask: () => Promise<T | undefined>, waiting: Waiting): Promise<T> {
  const answer = await poll(ask, waiting, PATIENCE_MS);
  if (answer === undefined) throw new HoldfastError('cli.demo_timeout', { what });
  return answer;
}

/** As `until`, for a shorter time and without complaint: undefined when it did not come. */
export function soon<T>(ask: () => Promise<T | undefined>, waiting: Waiting): Promise<T | undefined> {
  return poll(ask, waiting, SOON_MS);
}

async function poll<T>(
  ask: () => Promise<T | undefined>,
  { clock, signal, everyMs = STEP_MS }: Waiting,
  patienceMs: number,
): Promise<T | undefined> {
  const deadline = clock.monotonicMs() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined || clock.monotonicMs() > deadline) return answer;
    await pause(clock, everyMs, signal);
  }
}
