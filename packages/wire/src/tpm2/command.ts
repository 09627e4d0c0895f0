import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';
import { TPM_HANDLE } from './constants.ts';
import { malformed, readSized, writeSized } from './fields.ts';

/** TPM_CC of what we send (TPM 2.0 part 2, 6.5.2), with how many handles go in and come out. */
const TPM_COMMANDS = {
  EvictControl: { code: 0x0120, handlesIn: 2, handlesOut: 0 },
  CreatePrimary: { code: 0x0131, handlesIn: 1, handlesOut: 1 },
  Startup: { code: 0x0144, handlesIn: 0, handlesOut: 0 },
  ActivateCredential: { code: 0x0147, handlesIn: 2, handlesOut: 0 },
  Certify: { code: 0x0148, handlesIn: 2, handlesOut: 0 },
  NV_Read: { code: 0x014e, handlesIn: 2, handlesOut: 0 },
  PolicySecret: { code: 0x0151, handlesIn: 2, handlesOut: 0 },
  Create: { code: 0x0153, handlesIn: 1, handlesOut: 0 },
  Load: { code: 0x0157, handlesIn: 1, handlesOut: 1 },
  Quote: { code: 0x0158, handlesIn: 1, handlesOut: 0 },
  Sign: { code: 0x015d, handlesIn: 1, handlesOut: 0 },
  FlushContext: { code: 0x0165, handlesIn: 0, handlesOut: 0 },
  NV_ReadPublic: { code: 0x0169, handlesIn: 1, handlesOut: 0 },
  ReadPublic: { code: 0x0173, handlesIn: 1, handlesOut: 0 },
  StartAuthSession: { code: 0x0176, handlesIn: 2, handlesOut: 1 },
  GetCapability: { code: 0x017a, handlesIn: 0, handlesOut: 0 },
  GetRandom: { code: 0x017b, handlesIn: 0, handlesOut: 0 },
  PCR_Read: { code: 0x017e, handlesIn: 0, handlesOut: 0 },
  PCR_Extend: { code: 0x0182, handlesIn: 1, handlesOut: 0 },
} as const;

export type TpmCommandName = keyof typeof TPM_COMMANDS;

const NAMES = Object.keys(TPM_COMMANDS) as TpmCommandName[];
const NO_SESSIONS = 0x8001;
const SESSIONS = 0x8002;
const HEADER = 10;
const CONTINUE_SESSION = 1;

/** Commands and responses are at most this long on TPMs of the field (TPM_PT_MAX_COMMAND_SIZE is 4096). */
export const MAX_TPM_MESSAGE = 4096;

/** A session that authorises a handle: the password session with an empty password, or a policy session. */
export interface TpmAuthorization {
  readonly session: number;
  /** Empty for the owner of an object without a password; empty in policy sessions. */
  readonly password: Uint8Array;
}

/** The authorisation that objects without a password ask for. */
export const EMPTY_AUTH: TpmAuthorization = { session: TPM_HANDLE.password, password: new Uint8Array() };

export interface TpmRequest {
  readonly command: TpmCommandName;
  readonly handles: readonly number[];
  readonly authorizations: readonly TpmAuthorization[];
  readonly parameters: Uint8Array;
}

/** Any code but zero is a refusal; `describeTpmCode` words it. */
export type TpmResponse =
  | { readonly kind: 'refused'; readonly code: number }
  | { readonly kind: 'done'; readonly handles: readonly number[]; readonly parameters: Uint8Array };

/** The command as it goes to the TPM, big endian (TPM 2.0 part 1, 18). */
export function encodeTpmRequest({
  command,
  handles,
  authorizations,
  parameters,
}: TpmRequest): Uint8Array<ArrayBuffer> {
  const body = new ByteWriter(256);
  for (const handle of handles) body.u32be(handle);
  if (authorizations.length > 0) {
    const area = new ByteWriter(32);
    for (const { session, password } of authorizations) {
      writeSized(area.u32be(session).u16be(0).u8(CONTINUE_SESSION), password);
    }
    const bytes = area.finish();
    body.u32be(bytes.length).bytes(bytes);
  }
  const rest = body.bytes(parameters).finish();
  return new ByteWriter(HEADER + rest.length)
    .u16be(authorizations.length > 0 ? SESSIONS : NO_SESSIONS)
    .u32be(HEADER + rest.length)
    .u32be(TPM_COMMANDS[command].code)
    .bytes(rest)
    .finish();
}

/** What a TPM reads. @throws `wire.unsupported` for a command outside the table; `wire.malformed`, `wire.truncated` */
export function decodeTpmRequest(bytes: Uint8Array): TpmRequest {
  const reader = new ByteReader(bytes);
  const tag = readHeader(reader, 'command');
  const code = reader.u32be('commandCode');
  const command = NAMES.find((name) => TPM_COMMANDS[name].code === code);
  if (command === undefined) throw new HoldfastError('wire.unsupported', { field: 'commandCode' });
  const handles = readHandles(reader, TPM_COMMANDS[command].handlesIn);
  const authorizations: TpmAuthorization[] = [];
  if (tag === SESSIONS) {
    const area = new ByteReader(reader.take(reader.u32be('authorizationSize'), 'authorizationArea'));
    while (area.remaining > 0) {
      const session = area.u32be('sessionHandle');
      readSized(area, 'nonceCaller', 64);
      area.skip(1, 'sessionAttributes');
      authorizations.push({ session, password: readSized(area, 'hmac', 64) });
    }
  }
  return { command, handles, authorizations, parameters: reader.take(reader.remaining, 'parameters') };
}

/** @throws `wire.truncated`, `wire.trailing_bytes`, `wire.malformed` */
export function decodeTpmResponse(command: TpmCommandName, bytes: Uint8Array): TpmResponse {
  const reader = new ByteReader(bytes);
  const tag = readHeader(reader, 'response');
  const code = reader.u32be('responseCode');
  if (code !== 0) {
    reader.end('response');
    return { kind: 'refused', code };
  }
  const handles = readHandles(reader, TPM_COMMANDS[command].handlesOut);
  if (tag === NO_SESSIONS) return { kind: 'done', handles, parameters: reader.take(reader.remaining, 'parameters') };
  const parameters = reader.take(reader.u32be('parameterSize'), 'parameters');
  return { kind: 'done', handles, parameters };
}

/** What a TPM writes; `sessions` is how many authorised the request. */
export function encodeTpmResponse(response: TpmResponse, sessions: number): Uint8Array<ArrayBuffer> {
  const body = new ByteWriter(256);
  if (response.kind === 'done') {
    for (const handle of response.handles) body.u32be(handle);
    if (sessions > 0) body.u32be(response.parameters.length);
    body.bytes(response.parameters);
    for (let i = 0; i < sessions; i++) body.u16be(0).u8(CONTINUE_SESSION).u16be(0);
  }
  const rest = body.finish();
  return new ByteWriter(HEADER + rest.length)
    .u16be(response.kind === 'done' && sessions > 0 ? SESSIONS : NO_SESSIONS)
    .u32be(HEADER + rest.length)
    .u32be(response.kind === 'done' ? 0 : response.code)
    .bytes(rest)
    .finish();
}

/** How long the message is that begins with these bytes; undefined before its size is there. */
export function tpmMessageLength(head: Uint8Array): number | undefined {
  if (head.length < 6) return undefined;
  const reader = new ByteReader(head, 2);
  const size = reader.u32be('size');
  if (size < HEADER) throw malformed(reader, 'size');
  if (size > MAX_TPM_MESSAGE) throw new HoldfastError('wire.too_large', { field: 'size', limit: MAX_TPM_MESSAGE });
  return size;
}

function readHeader(reader: ByteReader, field: string): number {
  const tag = reader.u16be(`${field}.tag`);
  if (tag !== SESSIONS && tag !== NO_SESSIONS) throw malformed(reader, `${field}.tag`);
  if (reader.u32be(`${field}.size`) !== reader.bytes.length) throw malformed(reader, `${field}.size`);
  return tag;
}

function readHandles(reader: ByteReader, count: number): readonly number[] {
  return Array.from({ length: count }, () => reader.u32be('handle'));
}
