import { AUDIT_ERRORS } from './audit.ts';
import { BOOT_ERRORS } from './boot.ts';
import { CLI_ERRORS } from './cli.ts';
import { COMMUNICATION_ERRORS } from './communication.ts';
import { CRYPTO_ERRORS } from './crypto.ts';
import { DEVICE_ERRORS } from './device.ts';
import type { ErrorSpec } from './error-spec.ts';
import { IDENTITY_ERRORS } from './identity.ts';
import { KERNEL_ERRORS } from './kernel.ts';
import { POSTURE_ERRORS } from './posture.ts';
import { SERVER_ERRORS } from './server.ts';
import { STORAGE_ERRORS } from './storage.ts';
import { STORE_ERRORS } from './store.ts';
import { UPDATE_ERRORS } from './update.ts';
import { WIRE_ERRORS } from './wire.ts';

/** Every error Holdfast can answer, by stable dotted code. Rows are added, never renamed or reused. */
export const ERRORS = {
  ...KERNEL_ERRORS,
  ...WIRE_ERRORS,
  ...CRYPTO_ERRORS,
  ...STORE_ERRORS,
  ...IDENTITY_ERRORS,
  ...COMMUNICATION_ERRORS,
  ...STORAGE_ERRORS,
  ...BOOT_ERRORS,
  ...UPDATE_ERRORS,
  ...POSTURE_ERRORS,
  ...AUDIT_ERRORS,
  ...SERVER_ERRORS,
  ...DEVICE_ERRORS,
  ...CLI_ERRORS,
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;

/** Identifiers, offsets and sizes that say where; never secrets. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>;

/** The one error class. Match on `code`, not on the message. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(ERRORS[code].message, options);
    this.code = code;
    this.details = details;
  }

  static is(error: unknown, code?: ErrorCode): error is HoldfastError {
    return error instanceof HoldfastError && (code === undefined || error.code === code);
  }

  /** The row of this error's code. */
  get spec(): ErrorSpec {
    return ERRORS[this.code];
  }
}

/** Turns anything thrown into a coded error; what is not one becomes `kernel.internal` with its cause kept. */
export function toHoldfastError(error: unknown): HoldfastError {
  return HoldfastError.is(error) ? error : new HoldfastError('kernel.internal', {}, { cause: error });
}

export type { ErrorSpec };
