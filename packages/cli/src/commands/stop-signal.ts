const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Aborts at the first request to stop; a second one ends the process at once. */
export function stopSignal(): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  for (const name of STOP_SIGNALS) process.once(name, stop);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of STOP_SIGNALS) process.off(name, stop);
    },
  };
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
