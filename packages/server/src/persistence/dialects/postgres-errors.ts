import { type ErrorCode, HoldfastError } from '@holdfast/kernel';

/** SQLSTATE (PostgreSQL, appendix A) of what means something to a caller. */
const STATES: Readonly<Record<string, ErrorCode>> = {
  '23503': 'store.conflict', // foreign_key_violation
  '23505': 'store.conflict', // unique_violation
  '25006': 'store.unavailable', // read_only_sql_transaction
  '25P03': 'store.unavailable', // idle_in_transaction_session_timeout
  '3D000': 'store.unavailable', // invalid_catalog_name
  '40001': 'store.conflict', // serialization_failure
  '40P01': 'store.conflict', // deadlock_detected
  '53100': 'store.full', // disk_full
  '55P03': 'store.unavailable', // lock_not_available
  '57014': 'store.unavailable', // query_canceled
};

/** Classes: the first two characters. */
const CLASSES: Readonly<Record<string, ErrorCode>> = {
  '08': 'store.unavailable', // connection exception
  '28': 'store.unavailable', // invalid authorization
  '53': 'store.unavailable', // insufficient resources
  '57': 'store.unavailable', // operator intervention
  '58': 'store.unavailable', // system error
  XX: 'store.corrupt', // internal error: data_corrupted, index_corrupted
};

/** Nothing of the transaction is kept, and the same units may pass the next time. */
export const REPEATED: ReadonlySet<unknown> = new Set(['40001', '40P01']);

/** Every one has a digit; a system error such as EPIPE has none. */
const SQLSTATE = /^(?=.*[0-9])[0-9A-Z]{5}$/;

/**
 * Names what PostgreSQL or the way to it reported. Its words stay behind: they quote values.
 *
 * A broken CHECK, NOT NULL or type is a fault of ours and becomes `kernel.internal`.
 */
export function fromPostgres(error: unknown): HoldfastError {
  if (HoldfastError.is(error)) return error;
  if (error instanceof TypeError || error instanceof RangeError) {
    return new HoldfastError('kernel.internal', {}, { cause: error });
  }
  const state = stateOf(error);
  if (state === undefined || !SQLSTATE.test(state)) {
    return new HoldfastError('store.unavailable', { reason: state ?? 'no connection' });
  }
  const code = STATES[state] ?? CLASSES[state.slice(0, 2)] ?? 'kernel.internal';
  return new HoldfastError(code, { sqlstate: state });
}

/** The SQLSTATE, or the system's name of what befell the connection. */
export function stateOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
