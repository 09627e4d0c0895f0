export { ByteReader, ByteWriter, concatBytes, decodeUtf8, encodeUtf8, equalBytes } from './bytes.ts';
export { type Clock, type EpochMs, formatRfc3339, ManualClock, systemClock, type Timer } from './clock.ts';
export {
  ERRORS,
  type ErrorCode,
  type ErrorDetails,
  type ErrorSpec,
  HoldfastError,
  toHoldfastError,
} from './errors/index.ts';
export { encodeCanonicalJson, isJsonObject, type JsonValue, parseDeviceJson, parseStrictJson } from './json.ts';
export { createLog, type Log, type LogFields, type LogLevel, type LogRecord, silentLog } from './log.ts';
export { defineMachine, type Machine, type MachineSpec } from './machine.ts';
export { type Random, seededRandom, systemRandom } from './random.ts';
export {
  decodeBase64,
  decodeBase64Url,
  decodeHex,
  encodeBase64,
  encodeBase64Url,
  encodeHex,
} from './text-encodings.ts';
