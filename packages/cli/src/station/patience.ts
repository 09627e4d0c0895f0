import { ApiProblem } from '@holdfast/api';
import { type Clock, ERRORS, type ErrorSpec, HoldfastError } from '@holdfast/kernel';

const FIRST_WAIT_MS = 500;
const TRIES = 6;

/** Tries again what may succeed in a moment: a busy server, one that is being restarted. The last error is thrown. */
export async function patiently<Result>(
  work: () => Promise<Result>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === TRIES || signal.aborted || !mayPass(error)) throw error;
      await pause(FIRST_WAIT_MS * 2 ** (attempt - 1), { clock, signal });
    }
  }
}

function mayPass(error: unknown): boolean {
  const code = error instanceof ApiProblem ? error.problem.code : HoldfastError.is(error) ? error.code : '';
  const row: ErrorSpec | undefined = Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS] : undefined;
  // An operator decides at leisure.
  return row?.retry === true && code !== 'identity.approval_pending';
}

/** A timer of the clock port lets a process end; an open port keeps it. */
async function pause(
  ms: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const { port1 } = new MessageChannel();
  port1.ref();
  await new Promise<void>((resolve) => {
    const timer = clock.after(ms, resolve);
    signal.addEventListener(
      'abort',
      () => {
        timer.cancel();
        resolve();
      },
      { once: true },
    );
  });
  port1.close();
}
