import { type EpochMs, HoldfastError, isJsonObject, type JsonValue } from '@holdfast/kernel';
import { type AwsMembers, decodeAwsPayload, encodeAwsPayload } from './payload.ts';
import { integer, optional, readShape, text } from './shape.ts';

/** The attributes of `desired`, of `reported` or of a delta. */
export type ShadowSection = { readonly [key: string]: JsonValue };

/** Mirrors a section: `{timestamp}` in seconds in the place of every value that is no object. */
export type ShadowMetadata = { readonly [key: string]: JsonValue };

/** A section that holds nothing is absent. */
export interface ShadowSections<Section = ShadowSection> {
  readonly desired?: Section | undefined;
  readonly reported?: Section | undefined;
}

export interface ShadowUpdateRequest {
  /** null removes the section, null below it an attribute; absent leaves it. */
  readonly state: ShadowSections<ShadowSection | null>;
  /** The version the sender has seen. */
  readonly version: number | undefined;
  readonly clientToken: string | undefined;
}

/** Of either section. @see AWS IoT Core quotas, "Maximum depth of JSON device state documents" */
export const MAX_SHADOW_LEVELS = 8;

/** Of a request with its white space; the state itself may have half of it. */
const MAX_REQUEST_BYTES = 16_384;
const MAX_CLIENT_TOKEN_BYTES = 64;

const wrong = (field: string, reason: string): HoldfastError => new HoldfastError('wire.malformed', { field, reason });

/**
 * Decodes the payload of any shadow request; nothing at all is `{}`.
 *
 * @throws `wire.too_large` over 16 KiB; `wire.malformed`, field `json`, when it is no JSON object (reason `utf-8` when
 * it is no text).
 */
export function decodeShadowMembers(payload: Uint8Array): AwsMembers {
  if (payload.length > MAX_REQUEST_BYTES) {
    throw new HoldfastError('wire.too_large', { field: 'payload', limit: MAX_REQUEST_BYTES });
  }
  return decodeAwsPayload('json', payload);
}

/** @throws `wire.malformed`, field `clientToken`, over 64 bytes. */
export function readShadowToken(members: AwsMembers): string | undefined {
  return readShape(members, { clientToken: optional(text(MAX_CLIENT_TOKEN_BYTES)) }).clientToken;
}

/**
 * Reads an update.
 *
 * @throws `wire.malformed` naming the field: `state` (reason `missing` or `not an object`), `desired`, `reported`,
 * `version`, `clientToken`, `node` for what no shadow can hold; `wire.too_large`, field `levels`, for deep nesting.
 * @see AWS IoT developer guide, "Device Shadow service documents"
 */
export function readShadowUpdate(members: AwsMembers): ShadowUpdateRequest {
  const clientToken = readShadowToken(members);
  const state = members.get('state');
  if (state === undefined) throw wrong('state', 'missing');
  if (!isJsonObject(state)) throw wrong('state', 'not an object');
  const { version } = readShape(members, { version: optional(integer(0)) });
  const desired = sectionOf(state['desired'], 'desired');
  const reported = sectionOf(state['reported'], 'reported');
  return {
    state: { ...(desired === undefined ? {} : { desired }), ...(reported === undefined ? {} : { reported }) },
    version,
    clientToken,
  };
}

function sectionOf(value: JsonValue | undefined, field: string): ShadowSection | null | undefined {
  if (value === undefined || value === null) return value;
  if (!isJsonObject(value)) throw wrong(field, 'not an object');
  checkNode(value, 0);
  return value;
}

/** null means "remove", which no member of a list can mean. */
function checkNode(value: JsonValue, level: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (level === MAX_SHADOW_LEVELS) throw new HoldfastError('wire.too_large', { field: 'levels', limit: level });
  if (Array.isArray(value) && value.includes(null)) throw wrong('node', 'null in a list');
  for (const member of Object.values(value)) checkNode(member, level + 1);
}

interface Stamp {
  readonly version: number;
  readonly at: EpochMs;
  readonly clientToken?: string | undefined;
}

interface Document {
  readonly state: unknown;
  readonly metadata: unknown;
}

/** `/accepted` of get and update, and `/update/delta`. */
export function encodeShadowReply({ state, metadata, version, at, clientToken }: Document & Stamp): Uint8Array {
  return encodeAwsPayload('json', { state, metadata, version, timestamp: secondsOf(at), clientToken });
}

/** `/update/documents`. */
export function encodeShadowUpdated(updated: {
  readonly previous: Document & { readonly version: number };
  readonly current: Document & { readonly version: number };
  readonly at: EpochMs;
  readonly clientToken: string | undefined;
}): Uint8Array {
  const { previous, current, at, clientToken } = updated;
  return encodeAwsPayload('json', { previous, current, timestamp: secondsOf(at), clientToken });
}

/** `/delete/accepted`. */
export function encodeShadowDeletion({ version, at, clientToken }: Stamp): Uint8Array {
  return encodeAwsPayload('json', { version, timestamp: secondsOf(at), clientToken });
}

export interface ShadowRejection {
  /** An HTTP status, as the documentation lists them. */
  readonly code: number;
  readonly message: string;
  readonly at: EpochMs;
  readonly clientToken: string | undefined;
}

/** `/rejected` of every request. @see AWS IoT developer guide, "Device Shadow error messages" */
export function encodeShadowRejection({ code, message, at, clientToken }: ShadowRejection): Uint8Array {
  return encodeAwsPayload('json', { code, message, timestamp: secondsOf(at), clientToken });
}

function secondsOf(at: EpochMs): number {
  return Math.floor(at / 1000);
}
