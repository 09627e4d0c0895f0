import { decodeUtf8 } from './bytes.ts';
import { HoldfastError } from './errors/index.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

const MAX_DEPTH = 64;

/**
 * Parses JSON that is signed or decides a right: RFC 8259 with duplicate object keys refused.
 *
 * The attack stopped: two parsers that read a doubled key differently (CVE-2017-12635 class).
 *
 * @throws `wire.malformed` for anything but one JSON value; `wire.duplicate` for a repeated key;
 * `wire.too_large` for nesting over 64.
 */
export function parseStrictJson(input: Uint8Array | string): JsonValue {
  const text = typeof input === 'string' ? input : decodeUtf8(input, 'json');
  const parsed = parse(text);
  new DuplicateKeyScan(text).run();
  return parsed;
}

/**
 * Parses JSON as devices send it: a trailing NUL (stock C clients publish `sizeof`) and white space are dropped,
 * an empty payload is `{}`.
 *
 * @throws `wire.malformed` when what is left is not a JSON object.
 */
export function parseDeviceJson(payload: Uint8Array): { readonly [key: string]: JsonValue } {
  let end = payload.length;
  while (end > 0 && (payload[end - 1] === 0 || isSpace(payload[end - 1] ?? 0))) end--;
  if (end === 0) return {};
  const value = parse(decodeUtf8(payload.subarray(0, end), 'json'));
  if (!isJsonObject(value)) throw new HoldfastError('wire.malformed', { field: 'json', reason: 'not an object' });
  return value;
}

export function isJsonObject(value: unknown): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON with object keys sorted by code unit and no white space: one value, one text. Numbers must be safe integers. */
export function encodeCanonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(encodeCanonicalJson).join(',')}]`;
  if (isJsonObject(value)) {
    const members = Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${encodeCanonicalJson(value[key] ?? null)}`);
    return `{${members.join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new HoldfastError('wire.malformed', { field: 'number', reason: 'not a safe integer' });
  }
  return JSON.stringify(value);
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new HoldfastError('wire.malformed', { field: 'json' }, { cause });
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** Walks text that JSON.parse has accepted and looks only at object keys. */
class DuplicateKeyScan {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): void {
    const open: (Set<string> | undefined)[] = [];
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at];
      if (char === '{' || char === '[') {
        if (open.length === MAX_DEPTH) throw new HoldfastError('wire.too_large', { field: 'json', limit: MAX_DEPTH });
        open.push(char === '{' ? new Set() : undefined);
      } else if (char === '}' || char === ']') {
        open.pop();
      } else if (char === '"') {
        this.#string(open.at(-1));
      }
    }
  }

  #string(keys: Set<string> | undefined): void {
    const start = this.#at;
    for (this.#at++; this.#text[this.#at] !== '"'; this.#at++) if (this.#text[this.#at] === '\\') this.#at++;
    if (keys === undefined || !/^\s*:/.test(this.#text.slice(this.#at + 1, this.#at + 1 + this.#gap()))) return;
    const key = JSON.parse(this.#text.slice(start, this.#at + 1)) as string;
    if (keys.has(key)) throw new HoldfastError('wire.duplicate', { field: 'json key', offset: start });
    keys.add(key);
  }

  /** How far the next character that is not white space lies, itself included. */
  #gap(): number {
    let at = this.#at + 1;
    while (at < this.#text.length && isSpace(this.#text.charCodeAt(at))) at++;
    return at - this.#at;
  }
}
