import type { Clock, Random } from '@holdfast/kernel';

export interface BackoffRule {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** One second to two minutes: a fleet that lost its server comes back spread out. */
export const RECONNECT_BACKOFF: BackoffRule = { baseMs: 1000, maxMs: 120_000 };

/** A delay between 0 and the doubled base of this attempt, even over the range ("full jitter"). */
export function backoffMs(attempt: number, random: Random, { baseMs, maxMs }: BackoffRule = RECONNECT_BACKOFF): number {
  return fraction(random) * Math.min(baseMs * 2 ** Math.min(attempt, 30), maxMs);
}

/** A number in [0, 1). */
export function fraction(random: Random): number {
  const bytes = random.bytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32;
}

/** Waits; ends early, without error, when the signal says stop. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const stop = (): void => {
      timer.cancel();
      resolve();
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    signal?.addEventListener('abort', stop, { once: true });
  });
}
