import { decodeBase64Url, encodeBase64Url, HoldfastError, type JsonValue, parseDeviceJson } from '@holdfast/kernel';
import { JsonFields } from '../json/index.ts';

/** A server nonce: 8 to 64 bytes as RFC 9711 4.1 allows, single use. */
export interface EvidenceNonce {
  readonly nonce: Uint8Array;
  readonly expiresInSeconds: number;
}

/** `test`: the new image runs on trial; `confirmed`: it stays; `recovery`: no application runs (safe mode). */
export const BOOT_STATES = ['test', 'confirmed', 'recovery'] as const;
export type BootState = (typeof BOOT_STATES)[number];

/** The server's word on evidence. `proceed: confirm` lets a device keep the image it boots on trial. */
export interface EvidenceReply {
  /** `proven`, `restricted`, …; the words are the server's, a device acts on `proceed` alone. */
  readonly posture: string;
  readonly reasons: readonly string[];
  readonly bootState: BootState;
  readonly proceed: 'confirm' | 'none';
}

export interface HoldfastRejection {
  readonly code: string;
  readonly message: string;
}

const WORD = /^[a-z][a-z0-9_.-]{0,63}$/;

const utf8 = (value: JsonValue): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

export function encodeEvidenceNonce(value: EvidenceNonce): Uint8Array {
  return utf8({ nonce: encodeBase64Url(value.nonce), expiresInSeconds: value.expiresInSeconds });
}

/** @throws `wire.malformed` */
export function decodeEvidenceNonce(payload: Uint8Array): EvidenceNonce {
  const fields = new JsonFields(parseDeviceJson(payload), 'nonce reply');
  const nonce = decodeBase64Url(fields.text('nonce', { max: 86 }), 'nonce');
  if (nonce.length < 8 || nonce.length > 64)
    throw new HoldfastError('wire.malformed', { field: 'nonce', reason: 'length' });
  return { nonce, expiresInSeconds: fields.integer('expiresInSeconds', { min: 1, max: 300 }) };
}

export function encodeEvidenceReply(value: EvidenceReply): Uint8Array {
  return utf8({ ...value, reasons: [...value.reasons] });
}

/** @throws `wire.malformed` */
export function decodeEvidenceReply(payload: Uint8Array): EvidenceReply {
  const fields = new JsonFields(parseDeviceJson(payload), 'evidence reply');
  return {
    posture: fields.text('posture', { pattern: WORD }),
    reasons: fields.texts('reasons', 64, { max: 512 }),
    bootState: fields.oneOf('bootState', BOOT_STATES),
    proceed: fields.oneOf('proceed', ['confirm', 'none']),
  };
}

export function encodeHoldfastRejection(value: HoldfastRejection): Uint8Array {
  return utf8({ code: value.code, message: value.message });
}

/** @throws `wire.malformed` */
export function decodeHoldfastRejection(payload: Uint8Array): HoldfastRejection {
  const fields = new JsonFields(parseDeviceJson(payload), 'rejection');
  return { code: fields.text('code', { max: 128 }), message: fields.text('message', { max: 1024 }) };
}

/** @param reply - whether the device is to renew its certificate before its time */
export function encodeRenewalReply(reply: { readonly renew: boolean }): Uint8Array {
  return utf8({ renew: reply.renew ? 'now' : 'in-time' });
}

/** @throws `wire.malformed` */
export function decodeRenewalReply(payload: Uint8Array): { readonly renew: boolean } {
  const fields = new JsonFields(parseDeviceJson(payload), 'renewal reply');
  return { renew: fields.oneOf('renew', ['now', 'in-time']) === 'now' };
}

/** @param nowSeconds - whole seconds since the Unix epoch */
export function encodeTimeReply(nowSeconds: number): Uint8Array {
  return utf8({ now: nowSeconds });
}

/** @returns whole seconds since the Unix epoch. @throws `wire.malformed` */
export function decodeTimeReply(payload: Uint8Array): number {
  return new JsonFields(parseDeviceJson(payload), 'time reply').integer('now');
}
