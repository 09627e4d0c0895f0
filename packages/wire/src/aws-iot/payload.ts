import { encodeBase64, encodeUtf8, HoldfastError, parseDeviceJson } from '@holdfast/kernel';
import { decode, encode } from 'cborg';
import type { AwsFormat } from './topics.ts';

/** The members of one payload, whatever its encoding. */
export type AwsMembers = ReadonlyMap<string, unknown>;

/** A payload to send; undefined members are left out, as AWS leaves out what does not apply. */
export type AwsPayload = Readonly<Record<string, unknown>>;

/**
 * Decodes a payload as stock clients send it: nothing at all is `{}`, and JSON may end in NUL bytes.
 *
 * CBOR keys are unique; of a doubled JSON key the last counts, as in every stock client's parser.
 *
 * @throws `wire.malformed` when it is not one object of that encoding.
 */
export function decodeAwsPayload(format: AwsFormat, payload: Uint8Array): AwsMembers {
  if (payload.length === 0) return new Map();
  if (format === 'json') return new Map(Object.entries(parseDeviceJson(payload)));
  return decodeCborMap(payload);
}

/**
 * Encodes a payload. CBOR maps have definite length, whole numbers are CBOR integers and bytes are byte strings: the
 * FreeRTOS decoder takes nothing else. In JSON bytes are base64.
 */
export function encodeAwsPayload(format: AwsFormat, payload: AwsPayload): Uint8Array {
  const present = withoutUndefined(payload) as AwsPayload;
  return format === 'cbor' ? encode(present) : encodeUtf8(JSON.stringify(present, bytesAsBase64));
}

function decodeCborMap(payload: Uint8Array): AwsMembers {
  let value: unknown;
  try {
    value = decode(payload, { strict: true, useMaps: true, rejectDuplicateMapKeys: true, allowUndefined: false });
  } catch (cause) {
    throw new HoldfastError('wire.malformed', { field: 'cbor' }, { cause });
  }
  if (!(value instanceof Map)) throw new HoldfastError('wire.malformed', { field: 'cbor', reason: 'not a map' });
  for (const key of value.keys()) {
    if (typeof key !== 'string') throw new HoldfastError('wire.malformed', { field: 'cbor', reason: 'key not text' });
  }
  return value as AwsMembers;
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutUndefined(member)]));
}

function bytesAsBase64(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? encodeBase64(value) : value;
}
