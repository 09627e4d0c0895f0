import { ApiProblem } from '@holdfast/api';

/** The code the server refuses with, with the code behind it where it names one; `accepted` when it does not. */
export async function problemOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'accepted';
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    const { code, details } = error.problem;
    const inner = details?.['code'];
    return inner === undefined ? code : `${code} (${String(inner)})`;
  }
}
