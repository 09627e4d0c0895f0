import { HoldfastError } from '@holdfast/kernel';
import { type CborValue, decodeCbor, encodeCbor } from '../cbor/index.ts';
import { MAX_EVENT_LOG } from './event-log.ts';
import { PCR_COUNT } from './pcr-selection.ts';

/** What a gateway sends as evidence: the quote as the TPM made it, and what is under it. */
export interface QuoteMessage {
  readonly attest: Uint8Array;
  readonly signature: Uint8Array;
  readonly pcrs: ReadonlyMap<number, Uint8Array>;
  readonly eventLog: Uint8Array | undefined;
}

/** First element of the array, as RFC 9711's conceptual messages are wrapped: what the second one is. */
const TYPE = 'application/vnd.holdfast.tpm-quote+cbor';
const KEYS = { attest: 1, signature: 2, pcrs: 3, eventLog: 4 } as const;
/** A CBOR array of two; a COSE_Sign1 token begins with tag 18. */
const ARRAY_OF_TWO = 0x82;
const OVERHEAD = 8192;

/** Longest evidence of this kind. */
export const MAX_QUOTE_EVIDENCE = MAX_EVENT_LOG + OVERHEAD;

export function isQuoteEvidence(bytes: Uint8Array): boolean {
  return bytes[0] === ARRAY_OF_TWO;
}

export function encodeQuoteEvidence({ attest, signature, pcrs, eventLog }: QuoteMessage): Uint8Array {
  const body = new Map<number, CborValue>([
    [KEYS.attest, attest],
    [KEYS.signature, signature],
    [KEYS.pcrs, new Map<number, CborValue>(pcrs)],
    ...(eventLog === undefined ? [] : [[KEYS.eventLog, eventLog] as const]),
  ]);
  return encodeCbor([TYPE, body]);
}

/** @throws `wire.malformed`, `wire.too_large` and what strict CBOR throws */
export function decodeQuoteEvidence(bytes: Uint8Array): QuoteMessage {
  if (bytes.length > MAX_QUOTE_EVIDENCE) {
    throw new HoldfastError('wire.too_large', { field: 'evidence', limit: MAX_QUOTE_EVIDENCE });
  }
  const whole = decodeCbor(bytes);
  if (!Array.isArray(whole) || whole.length !== 2 || whole[0] !== TYPE) throw malformed('type');
  const body: unknown = whole[1];
  if (!(body instanceof Map)) throw malformed('body');
  const known: ReadonlySet<unknown> = new Set(Object.values(KEYS));
  if ([...body.keys()].some((key) => !known.has(key))) throw malformed('key');
  const log: unknown = body.get(KEYS.eventLog);
  return {
    attest: bytesOf(body.get(KEYS.attest), 'attest'),
    signature: bytesOf(body.get(KEYS.signature), 'signature'),
    pcrs: registersOf(body.get(KEYS.pcrs)),
    eventLog: log === undefined ? undefined : bytesOf(log, 'eventLog'),
  };
}

function registersOf(value: unknown): ReadonlyMap<number, Uint8Array> {
  if (!(value instanceof Map) || value.size > PCR_COUNT) throw malformed('pcrs');
  const found = new Map<number, Uint8Array>();
  for (const [pcr, register] of value as Map<unknown, unknown>) {
    if (typeof pcr !== 'number' || pcr < 0 || pcr >= PCR_COUNT) throw malformed('pcrs');
    found.set(pcr, bytesOf(register, 'pcrs'));
  }
  return found;
}

function bytesOf(value: unknown, field: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed(field);
  return value;
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field });
}
