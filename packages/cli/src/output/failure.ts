import { ApiProblem } from '@holdfast/api';
import { ERRORS, type ErrorDetails, type ErrorSpec, toHoldfastError } from '@holdfast/kernel';

export interface Failure {
  /** One line for stderr that ends with the stable code and one next step. */
  readonly line: string;
  readonly exit: number;
}

/** What a failed command says and how it ends. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof ApiProblem) {
    const { title, code, next, details } = error.problem;
    const row: ErrorSpec | undefined = Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS] : undefined;
    return { line: line(title, details ?? {}, code, next ?? row?.next), exit: row?.exit ?? 70 };
  }
  const { message, details, code, spec } = toHoldfastError(error);
  const cause = code === 'kernel.internal' && error instanceof Error ? ` (${error.message})` : '';
  return { line: line(message + cause, details, code, spec.next), exit: spec.exit };
}

function line(message: string, details: ErrorDetails, code: string, next: string | undefined): string {
  const facts = Object.entries(details)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${String(value)}`);
  const where = facts.length === 0 ? '' : `: ${facts.join(', ')}`;
  return `holdfast: ${message}${where} [${code}] next: ${next ?? ERRORS['kernel.internal'].next}`;
}

/** The answer is no: a verification failed, something is not as asked. Exit code 1 without being an error. */
export class AnswerIsNo extends Error {
  override readonly name = 'AnswerIsNo';
}
