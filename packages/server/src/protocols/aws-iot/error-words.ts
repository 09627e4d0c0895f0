import { type ErrorCode, type HoldfastError, toHoldfastError } from '@holdfast/kernel';
import { type JobsErrorCode, MAX_SHADOW_LEVELS, type StreamErrorCode } from '@holdfast/wire/aws-iot';

/** How a coded error is worded on a family of topics; what is not listed is an internal error and told no more. */
type Words<Word> = Readonly<Partial<Record<ErrorCode, Word>>>;

const JOBS: Words<JobsErrorCode> = {
  'wire.malformed': 'InvalidRequest',
  'wire.too_large': 'InvalidRequest',
  'update.unknown_job': 'ResourceNotFound',
  'update.version_mismatch': 'VersionMismatch',
  'update.invalid_transition': 'InvalidStateTransition',
  'update.execution_ended': 'TerminalStateReached',
  'update.rate_limited': 'RequestThrottled',
};

const STREAMS: Words<StreamErrorCode> = {
  'wire.malformed': 'InvalidRequest',
  'wire.too_large': 'InvalidRequest',
  'update.unknown_file': 'ResourceNotFound',
  'update.stream_version': 'VersionMismatch',
};

/** Names of the REST twins where the MQTT API of AWS documents none. */
interface ProvisioningWord {
  readonly statusCode: number;
  readonly errorCode: string;
}

const INVALID: ProvisioningWord = { statusCode: 400, errorCode: 'InvalidRequest' };
const DENIED: ProvisioningWord = { statusCode: 403, errorCode: 'AccessDenied' };
const TOKEN: ProvisioningWord = { statusCode: 400, errorCode: 'InvalidCertificateOwnershipToken' };
const THROTTLED: ProvisioningWord = { statusCode: 400, errorCode: 'Throttling' };
const UNAVAILABLE: ProvisioningWord = { statusCode: 503, errorCode: 'ServiceUnavailable' };
const CONFLICT: ProvisioningWord = { statusCode: 409, errorCode: 'ConflictingResourceUpdate' };
const FAILURE: ProvisioningWord = { statusCode: 400, errorCode: 'ResourceRegistrationFailure' };
/** What AWS says when a template's OverrideSettings are FAIL. */
const EXISTS: ProvisioningWord = { statusCode: 409, errorCode: 'ResourceConflictsException' };
const INTERNAL: ProvisioningWord = { statusCode: 500, errorCode: 'InternalFailure' };

const PROVISIONING: Words<ProvisioningWord> = {
  'wire.malformed': INVALID,
  'wire.truncated': INVALID,
  'wire.trailing_bytes': INVALID,
  'wire.unsupported': INVALID,
  'wire.duplicate': INVALID,
  'wire.too_large': INVALID,
  'crypto.bad_key': INVALID,
  'crypto.bad_signature': INVALID,
  'crypto.weak_key': INVALID,
  'crypto.unsupported_algorithm': INVALID,
  'identity.bad_csr': INVALID,
  'identity.weak_key': INVALID,
  'identity.ca_requested': INVALID,
  'identity.foreign_name': INVALID,
  'identity.serial_required': INVALID,
  'identity.bad_device_name': INVALID,
  'identity.wrong_hardware': INVALID,
  'identity.bad_token': TOKEN,
  'identity.rate_limited': THROTTLED,
  'update.rate_limited': THROTTLED,
  'identity.device_exists': CONFLICT,
  'store.conflict': CONFLICT,
  'identity.unknown_product': FAILURE,
  'identity.unknown_template': FAILURE,
  'identity.template_policy': FAILURE,
  'communication.too_many_policies': FAILURE,
  'identity.template_parameters': INVALID,
  'identity.template_conflict': EXISTS,
  'identity.approval_pending': UNAVAILABLE,
  'identity.too_many_waiting': UNAVAILABLE,
  'identity.ca_unavailable': UNAVAILABLE,
  'communication.busy': UNAVAILABLE,
  'store.unavailable': UNAVAILABLE,
  'store.full': UNAVAILABLE,
};

/** A payload that is no JSON at all has a code of its own. */
function isUnreadable(error: HoldfastError, field: 'json' | 'cbor'): boolean {
  return error.code === 'wire.malformed' && error.details['field'] === field;
}

export function jobsWord(caught: unknown): { readonly code: JobsErrorCode; readonly message: string } {
  const error = toHoldfastError(caught);
  const code = isUnreadable(error, 'json') ? 'InvalidJson' : (JOBS[error.code] ?? 'InternalError');
  return { code, message: messageOf(error) };
}

export function streamsWord(caught: unknown): { readonly code: StreamErrorCode; readonly message: string } {
  const error = toHoldfastError(caught);
  const unreadable = isUnreadable(error, 'json')
    ? 'InvalidJson'
    : isUnreadable(error, 'cbor')
      ? 'InvalidCbor'
      : undefined;
  return { code: unreadable ?? STREAMS[error.code] ?? 'InternalError', message: messageOf(error) };
}

/** Whatever else the registry refuses is `AccessDenied`, which is also what a refused hook is answered with. */
export function provisioningWord(caught: unknown): ProvisioningWord & { readonly errorMessage: string } {
  const error = toHoldfastError(caught);
  const word = PROVISIONING[error.code] ?? (error.code.startsWith('identity.') ? DENIED : INTERNAL);
  return { ...word, errorMessage: messageOf(error) };
}

/** What is wrong with a request, by the field its decoder names. */
const SHADOW_FIELDS: Readonly<Record<string, string>> = {
  json: 'Invalid JSON',
  state: 'State node must be an object',
  desired: 'Desired node must be an object',
  reported: 'Reported node must be an object',
  version: 'Invalid version',
  clientToken: 'Invalid clientToken',
  levels: `JSON contains too many levels of nesting; maximum is ${MAX_SHADOW_LEVELS}`,
  node: 'State contains an invalid node',
};

const SHADOW_CODES: Words<{ readonly code: number; readonly message: string }> = {
  'communication.not_allowed': { code: 403, message: 'Forbidden' },
  'identity.unknown_device': { code: 404, message: 'Thing not found' },
  'communication.shadow_name': { code: 400, message: 'Invalid shadow name' },
  'communication.shadow_conflict': { code: 409, message: 'Version conflict' },
  'communication.shadow_too_large': { code: 413, message: 'The payload exceeds the maximum size allowed' },
  'communication.too_many_shadows': { code: 400, message: 'The thing has the maximum number of shadows' },
  'update.rate_limited': { code: 429, message: 'Too many requests' },
};

/**
 * How the Device Shadow service words an error; over HTTPS `code` is the status.
 *
 * @param shadow - undefined for the classic one.
 * @see AWS IoT developer guide, "Device Shadow error messages"
 */
export function shadowWord(
  caught: unknown,
  shadow: string | undefined,
): { readonly code: number; readonly message: string } {
  const error = toHoldfastError(caught);
  const { field, reason } = error.details;
  if (error.code === 'communication.shadow_unknown') {
    return { code: 404, message: `No shadow exists with name: ${shadow ?? 'Classic Shadow'}` };
  }
  if (error.code === 'wire.too_large' && field === 'payload') {
    return { code: 413, message: 'The payload exceeds the maximum size allowed' };
  }
  if (error.code === 'wire.malformed' && reason === 'utf-8') {
    return { code: 415, message: 'Unsupported documented encoding; supported encoding is UTF-8' };
  }
  if (error.code === 'wire.malformed' && field === 'state' && reason === 'missing') {
    return { code: 400, message: 'Missing required node: state' };
  }
  if (error.code.startsWith('wire.')) {
    return { code: 400, message: SHADOW_FIELDS[String(field)] ?? 'State contains an invalid node' };
  }
  return SHADOW_CODES[error.code] ?? { code: 500, message: 'Internal service failure' };
}

/** The stable code first, so that a device's log leads to the error index; never a field's content. */
function messageOf(error: HoldfastError): string {
  return `${error.code}: ${error.message}`;
}
