import {
  concatBytes,
  decodeBase64,
  encodeBase64,
  encodeCanonicalJson,
  encodeUtf8,
  HoldfastError,
  isJsonObject,
  type JsonValue,
  parseStrictJson,
} from '@holdfast/kernel';

/** One signature of an envelope; `keyId` is a hint that proves nothing. */
export interface DsseSignature {
  readonly keyId: string;
  readonly signature: Uint8Array;
}

/** A DSSE envelope (secure-systems-lab/dsse, envelope.md v1). */
export interface DsseEnvelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly DsseSignature[];
}

const MAX_ENVELOPE = 1024 * 1024;
const MAX_SIGNATURES = 64;

/** Pre-authentication encoding, what is signed: type and payload with their lengths, so neither can pass for the other. */
export function encodePae(payloadType: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const type = encodeUtf8(payloadType);
  return concatBytes(encodeUtf8(`DSSEv1 ${type.length} `), type, encodeUtf8(` ${payload.length} `), payload);
}

/** The envelope as canonical JSON. */
export function encodeDsseEnvelope({ payloadType, payload, signatures }: DsseEnvelope): Uint8Array<ArrayBuffer> {
  return encodeUtf8(
    encodeCanonicalJson({
      payload: encodeBase64(payload),
      payloadType,
      signatures: signatures.map(({ keyId, signature }) => ({ keyid: keyId, sig: encodeBase64(signature) })),
    }),
  );
}

/**
 * Decodes an envelope strictly: exactly the three members, strict base64, at least one signature. Nothing is verified.
 *
 * @throws `wire.duplicate` for a doubled key; `wire.malformed`; `wire.too_large` over 1 MiB or 64 signatures.
 */
export function decodeDsseEnvelope(bytes: Uint8Array): DsseEnvelope {
  if (bytes.length > MAX_ENVELOPE) throw new HoldfastError('wire.too_large', { field: 'dsse', limit: MAX_ENVELOPE });
  const { payload, payloadType, signatures } = members(parseStrictJson(bytes), [
    'payload',
    'payloadType',
    'signatures',
  ]);
  if (!Array.isArray(signatures) || signatures.length === 0) throw malformed('signatures');
  if (signatures.length > MAX_SIGNATURES) {
    throw new HoldfastError('wire.too_large', { field: 'signatures', limit: MAX_SIGNATURES });
  }
  return {
    payloadType: text(payloadType, 'payloadType'),
    payload: decodeBase64(text(payload, 'payload'), 'payload'),
    signatures: signatures.map(decodeSignature),
  };
}

function decodeSignature(value: JsonValue): DsseSignature {
  // keyid is optional in the specification.
  const { sig, keyid = '' } = members(value, ['sig', 'keyid']);
  return { keyId: text(keyid, 'keyid'), signature: decodeBase64(text(sig, 'sig'), 'sig') };
}

function members(value: JsonValue | undefined, allowed: readonly string[]): { readonly [key: string]: JsonValue } {
  if (!isJsonObject(value)) throw malformed('dsse');
  if (Object.keys(value).some((key) => !allowed.includes(key))) throw malformed('dsse member');
  return value;
}

function text(value: JsonValue | undefined, field: string): string {
  if (typeof value !== 'string') throw malformed(field);
  return value;
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field });
}
