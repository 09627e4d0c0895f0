import { decodeBase64, HoldfastError } from '@holdfast/kernel';
import type { AwsMembers } from './payload.ts';

/** Reads one member, undefined when it is absent; throws `wire.malformed` naming the field. */
export type Read<T> = (value: unknown, field: string) => T;

export type Shape = Readonly<Record<string, Read<unknown>>>;

export type ShapeOf<S extends Shape> = { readonly [Name in keyof S]: ReturnType<S[Name]> };

/** Reads the named members; unknown ones are ignored, as stock clients send some. */
export function readShape<S extends Shape>(members: AwsMembers, shape: S): ShapeOf<S> {
  const values = Object.entries(shape).map(([name, read]) => [name, read(members.get(name), name)]);
  return Object.fromEntries(values) as ShapeOf<S>;
}

const wrong = (field: string, reason: string): HoldfastError => new HoldfastError('wire.malformed', { field, reason });

export function optional<T>(read: Read<T>): Read<T | undefined> {
  return (value, field) => (value === undefined ? undefined : read(value, field));
}

/** @param maxBytes - of its UTF-8 form */
export function text(maxBytes: number, pattern?: RegExp): Read<string> {
  return (value, field) => {
    if (typeof value !== 'string') throw wrong(field, 'not text');
    if (value.length > maxBytes || new TextEncoder().encode(value).length > maxBytes) throw wrong(field, 'too long');
    if (pattern !== undefined && !pattern.test(value)) throw wrong(field, 'form');
    return value;
  };
}

/** A whole number, or its decimal digits as text: the AWS Jobs library for C quotes `expectedVersion`. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Read<number> {
  return (value, field) => {
    const number = typeof value === 'string' && /^-?[0-9]{1,16}$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw wrong(field, 'not an integer');
    if (number < min || number > max) throw wrong(field, 'range');
    return number;
  };
}

export const flag: Read<boolean> = (value, field) => {
  if (typeof value !== 'boolean') throw wrong(field, 'not a boolean');
  return value;
};

export function oneOf<const Word extends string>(words: readonly Word[]): Read<Word> {
  return (value, field) => {
    const word = words.find((each) => each === value);
    if (word === undefined) throw wrong(field, 'not one of the known words');
    return word;
  };
}

export interface TextMapRule {
  readonly maxPairs: number;
  /** Bytes of all keys and values together. */
  readonly maxBytes: number;
  readonly key: Read<string>;
  readonly value: Read<string>;
}

/** A flat map of text to text. */
export function textMap(rule: TextMapRule): Read<Readonly<Record<string, string>>> {
  return (value, field) => {
    const pairs = entriesOf(value, field);
    if (pairs.length > rule.maxPairs) throw wrong(field, 'too many pairs');
    const read = pairs.map(([key, each]) => [rule.key(key, field), rule.value(each, field)] as const);
    const size = read.reduce((sum, [key, each]) => sum + new TextEncoder().encode(key + each).length, 0);
    if (size > rule.maxBytes) throw wrong(field, 'too long');
    return Object.fromEntries(read);
  };
}

/** A list whose members are objects of one shape. */
export function listOf<S extends Shape>(shape: S, max: number): Read<readonly ShapeOf<S>[]> {
  return (value, field) => {
    if (!Array.isArray(value)) throw wrong(field, 'not a list');
    if (value.length > max) throw wrong(field, 'too long');
    return value.map((each: unknown) => readShape(new Map(entriesOf(each, field)), shape));
  };
}

export function objectOf<S extends Shape>(shape: S): Read<ShapeOf<S>> {
  return (value, field) => readShape(new Map(entriesOf(value, field)), shape);
}

/** A byte string: CBOR as it is, JSON as base64. */
export function binary(maxBytes: number): Read<Uint8Array> {
  return (value, field) => {
    if (typeof value === 'string' && value.length > maxBytes * 2) throw wrong(field, 'too long');
    const bytes = typeof value === 'string' ? decodeBase64(value, field) : value;
    if (!(bytes instanceof Uint8Array)) throw wrong(field, 'not bytes');
    if (bytes.length > maxBytes) throw wrong(field, 'too long');
    return bytes;
  };
}

function entriesOf(value: unknown, field: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw wrong(field, 'not an object');
  }
  const entries: [unknown, unknown][] = value instanceof Map ? [...value.entries()] : Object.entries(value);
  return entries.map(([key, each]) => {
    if (typeof key !== 'string') throw wrong(field, 'key not text');
    return [key, each];
  });
}
