import { decodeHex, encodeHex, HoldfastError } from '@holdfast/kernel';
import { type AwsMembers, decodeAwsPayload, encodeAwsPayload } from './payload.ts';
import {
  binary,
  integer,
  listOf,
  oneOf,
  optional,
  type Read,
  readShape,
  type Shape,
  type ShapeOf,
  text,
} from './shape.ts';
import type { AwsFormat } from './topics.ts';

/** Codes of `/rejected` on the stream topics. */
export const STREAM_ERROR_CODES = [
  'InvalidTopic',
  'InvalidJson',
  'InvalidCbor',
  'InvalidRequest',
  'Unauthorized',
  'BlockSizeOutOfBounds',
  'OffsetOutOfBounds',
  'BlockCountLimitExceeded',
  'BlockBitmapLimitExceeded',
  'ResourceNotFound',
  'VersionMismatch',
  'ETagMismatch',
  'InternalError',
] as const;

export type StreamErrorCode = (typeof STREAM_ERROR_CODES)[number];

/** The AWS file streams library for JSON asks for this version and no other, so a stream never changes. */
export const STREAM_VERSION = 1;
/** Bytes of all blocks of one request together; one block is at most this long too. */
export const MAX_REQUEST_BYTES = 131_072;
export const MAX_BITMAP_BYTES = 12_288;
const MAX_CLIENT_TOKEN_BYTES = 64;

/** ASCII `MQ==`: what the file streams library sends as its bitmap, whatever it wants. */
const FIXED_BITMAP = '4d513d3d';

const c = optional(text(MAX_CLIENT_TOKEN_BYTES));

/** Least significant bit of byte 0 is the first block. JSON carries it as hex, with or without `0x`. */
const bitmap: Read<Uint8Array | undefined> = (value, field) => {
  const bytes = typeof value === 'string' ? hexBitmap(value, field) : value;
  if (!(bytes instanceof Uint8Array)) throw new HoldfastError('wire.malformed', { field, reason: 'not bytes' });
  return bytes.length === 4 && encodeHex(bytes) === FIXED_BITMAP ? undefined : bytes;
};

const DESCRIBE_REQUEST = { c } as const satisfies Shape;

/** Ranges that have an error code of their own are judged by `selectBlocks`. */
const GET_REQUEST = {
  c,
  s: optional(integer(0)),
  f: integer(0, 255),
  l: integer(0),
  o: optional(integer(0)),
  n: optional(integer(0)),
  b: optional(bitmap),
} as const satisfies Shape;

const DESCRIPTION = {
  c,
  s: integer(0),
  d: text(1024),
  r: listOf({ f: integer(0, 255), z: integer(0) }, 50),
} as const satisfies Shape;

const DATA = {
  c,
  f: integer(0, 255),
  l: integer(0, MAX_REQUEST_BYTES),
  i: integer(0),
  p: binary(MAX_REQUEST_BYTES),
} as const satisfies Shape;

const REJECTION = { o: oneOf(STREAM_ERROR_CODES), m: text(4096), c } as const satisfies Shape;

export type StreamGetRequest = ShapeOf<typeof GET_REQUEST>;
export type StreamDescription = ShapeOf<typeof DESCRIPTION>;
/** One block: `i` is its index in the file, `l` its real length, `p` its bytes. */
export type StreamData = ShapeOf<typeof DATA>;
export type StreamRejection = ShapeOf<typeof REJECTION>;

/** @throws `wire.malformed` */
export function readStreamDescribe(members: AwsMembers): ShapeOf<typeof DESCRIBE_REQUEST> {
  return readShape(members, DESCRIBE_REQUEST);
}

/** @throws `wire.malformed` */
export function readStreamGet(members: AwsMembers): StreamGetRequest {
  return readShape(members, GET_REQUEST);
}

/** @throws `wire.malformed` */
export function decodeStreamDescription(format: AwsFormat, payload: Uint8Array): StreamDescription {
  return readShape(decodeAwsPayload(format, payload), DESCRIPTION);
}

/** @throws `wire.malformed` */
export function decodeStreamData(format: AwsFormat, payload: Uint8Array): StreamData {
  const data = readShape(decodeAwsPayload(format, payload), DATA);
  if (data.p.length !== data.l)
    throw new HoldfastError('wire.malformed', { field: 'l', reason: 'not the length of p' });
  return data;
}

/** Older clients read `code`, `message` and `clientToken`; newer ones the short names. @throws `wire.malformed` */
export function decodeStreamRejection(format: AwsFormat, payload: Uint8Array): StreamRejection {
  return readShape(decodeAwsPayload(format, payload), REJECTION);
}

export function encodeStreamGet(format: AwsFormat, request: StreamGetRequest): Uint8Array {
  const hex = request.b === undefined || format === 'cbor' ? request.b : `0x${encodeHex(request.b)}`;
  return encodeAwsPayload(format, { ...request, b: hex });
}

export function encodeStreamDescription(format: AwsFormat, description: StreamDescription): Uint8Array {
  return encodeAwsPayload(format, description);
}

export function encodeStreamData(format: AwsFormat, data: StreamData): Uint8Array {
  return encodeAwsPayload(format, data);
}

export function encodeStreamRejection(format: AwsFormat, rejection: StreamRejection): Uint8Array {
  const { o, m, c: token } = rejection;
  return encodeAwsPayload(format, { o, m, c: token, code: o, message: m, clientToken: token });
}

function hexBitmap(value: string, field: string): Uint8Array {
  const hex = value.startsWith('0x') || value.startsWith('0X') ? value.slice(2) : value;
  // One past the limit, so that an oversized map keeps its own error code without being decoded whole.
  return decodeHex(hex.slice(0, (MAX_BITMAP_BYTES + 1) * 2), field);
}
