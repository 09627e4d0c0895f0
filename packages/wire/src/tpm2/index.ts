export { decodeTpmAttest, encodeTpmAttest, type TpmAttest, type TpmClockInfo } from './attest.ts';
export { describeTpmCode, isUnknownHandle, TPM_RC } from './codes.ts';
export {
  decodeTpmRequest,
  decodeTpmResponse,
  encodeTpmRequest,
  encodeTpmResponse,
  MAX_TPM_MESSAGE,
  type TpmAuthorization,
  type TpmCommandName,
  tpmMessageLength,
  type TpmRequest,
  type TpmResponse,
} from './command.ts';
export * as tpmCalls from './commands.ts';
export type { AttestedBytes, PcrValues, TpmCall } from './commands.ts';
export {
  EK_CERTIFICATES,
  TPM_CURVES,
  TPM_HANDLE,
  TPM_HASHES,
  TPM_OBJECT,
  type TpmCurve,
  type TpmHash,
  tpmHashOf,
} from './constants.ts';
export {
  decodeTpmIdObject,
  decodeTpmPoint,
  encodeTpmIdObject,
  encodeTpmPoint,
  type TpmCredential,
  type TpmIdObject,
} from './credential.ts';
export {
  decodeEventLog,
  encodeEventLog,
  type EventLog,
  eventText,
  MAX_EVENT_LOG,
  type MeasuredEvent,
} from './event-log.ts';
export { decodeLoadableKey, encodeLoadableKey, type LoadableTpmKey } from './loadable-key.ts';
export { PCR_COUNT, type PcrSelection, readPcrSelections, writePcrSelections } from './pcr-selection.ts';
export { readSized, writeSized } from './fields.ts';
export {
  decodeTpmPublic,
  encodeTpmPublic,
  hasAttributes,
  readSizedPublic,
  type TpmPublic,
  type TpmScheme,
} from './public-area.ts';
export { decodeTpmSignature, encodeTpmSignature, type TpmSignature } from './signature.ts';
export {
  decodeTpmAnswer,
  decodeTpmChallenge,
  decodeTpmEnrolled,
  decodeTpmEnrollmentRequest,
  encodeTpmAnswer,
  encodeTpmChallenge,
  encodeTpmEnrolled,
  encodeTpmEnrollmentRequest,
  TPM_ENROLLMENT_PATHS,
  type TpmAnswer,
  type TpmChallenge,
  type TpmEnrolled,
  type TpmEnrollmentRequest,
} from './enrollment-messages.ts';
export {
  decodeQuoteEvidence,
  encodeQuoteEvidence,
  isQuoteEvidence,
  MAX_QUOTE_EVIDENCE,
  type QuoteMessage,
} from './quote-evidence.ts';
