import { systemClock } from '@holdfast/kernel';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const INTERRUPTED = 130;

/** Ctrl-C reaches the whole process group, and comes once more through the launcher: so close it is one request. */
const SAME_REQUEST_MS = 500;

/**
 * Aborts at the first request to stop; a second one ends the process at once.
 *
 * It listens until the process ends: the other half of one Ctrl-C may come when all is closed already.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let first: number | undefined;
  const stop = (): void => {
    const now = systemClock.monotonicMs();
    first ??= now;
    if (now - first > SAME_REQUEST_MS) process.exit(INTERRUPTED);
    controller.abort();
  };
  for (const name of STOP_SIGNALS) process.on(name, stop);
  return controller.signal;
}

/** Waits, and keeps the process alive while it does: no timer of the clock port would. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  const { port1 } = new MessageChannel();
  port1.ref();
  try {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    port1.close();
  }
}
