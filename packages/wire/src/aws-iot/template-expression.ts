import { HoldfastError, isJsonObject, type JsonValue } from '@holdfast/kernel';

/** A value of a provisioning template: a text, or a function of its parameters and mappings. */
export type Expression =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'ref'; readonly name: string }
  | { readonly kind: 'join'; readonly separator: string; readonly from: Expression }
  | { readonly kind: 'split'; readonly separator: string; readonly from: Expression }
  | { readonly kind: 'select'; readonly index: number; readonly from: Expression }
  | { readonly kind: 'find'; readonly map: string; readonly keys: readonly [Expression, Expression] }
  | { readonly kind: 'sub'; readonly text: string; readonly given: readonly (readonly [string, Expression])[] };

/** Name of a map, a first key and a second one to a text. */
export type Mappings = ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, string>>>;

/** What expressions may name. */
export interface ExpressionScope {
  readonly parameters: ReadonlySet<string>;
  readonly mappings: Mappings;
  /** Functions are a fleet template's alone; a JITP or bulk template has `Ref`. */
  readonly functions: boolean;
}

/** What names stand for when a template is used. */
export interface ExpressionValues {
  readonly parameters: ReadonlyMap<string, string>;
  readonly mappings: Mappings;
}

const MAX_DEPTH = 8;
const MAX_ITEMS = 64;
const MAX_TEXT = 4096;
const PLACE = /\$\{(!?[^${}]{0,256})\}/g;

type Kind<Name extends Expression['kind']> = Extract<Expression, { readonly kind: Name }>;

const wrong = (field: string, reason: string): HoldfastError => new HoldfastError('wire.malformed', { field, reason });

type Read = (value: JsonValue, at: Place) => Expression;

interface Place {
  readonly scope: ExpressionScope;
  readonly field: string;
  readonly depth: number;
}

const FUNCTIONS: Readonly<Record<string, Read>> = {
  Ref: (value, { scope, field }) => ({ kind: 'ref', name: declared(value, scope, field) }),
  'Fn::Join': (value, at) => {
    const [separator, from] = argumentsOf(value, 2, at);
    return { kind: 'join', separator: plain(separator, at.field), from: read(from, at) };
  },
  'Fn::Split': (value, at) => {
    const [separator, from] = argumentsOf(value, 2, at);
    const text = plain(separator, at.field);
    if (text === '') throw wrong(at.field, 'empty separator');
    return { kind: 'split', separator: text, from: read(from, at) };
  },
  'Fn::Select': (value, at) => {
    const [index, from] = argumentsOf(value, 2, at);
    if (!/^[0-9]{1,4}$/.test(`${index as string | number}`)) throw wrong(at.field, 'not an index');
    return { kind: 'select', index: Number(index), from: read(from, at) };
  },
  'Fn::FindInMap': (value, at) => {
    const [map, first, second] = argumentsOf(value, 3, at);
    const name = plain(map, at.field);
    if (!at.scope.mappings.has(name)) throw wrong(at.field, 'no such mapping');
    return { kind: 'find', map: name, keys: [read(first, at), read(second, at)] };
  },
  'Fn::Sub': (value, at) => {
    const [text, given] = Array.isArray(value) ? argumentsOf(value, 2, at) : [value, {}];
    if (!isJsonObject(given)) throw wrong(at.field, 'not an object');
    const own = Object.entries(given).map(([name, each]) => [name, read(each, at)] as const);
    const known = new Set([...at.scope.parameters, ...own.map(([name]) => name)]);
    const pattern = plain(text, at.field);
    for (const [, name = ''] of pattern.matchAll(PLACE)) {
      if (!name.startsWith('!') && !known.has(name)) throw wrong(at.field, 'names no parameter');
    }
    return { kind: 'sub', text: pattern, given: own };
  },
};

/**
 * Reads a template's value; every name in it must be declared.
 *
 * @throws `wire.malformed` naming the member, `wire.too_large` for functions nested more than eight deep.
 * @see AWS IoT developer guide, "Provisioning template functions"
 */
export function parseExpression(value: JsonValue, scope: ExpressionScope, field: string): Expression {
  return read(value, { scope, field, depth: 0 });
}

function read(value: JsonValue | undefined, from: Place): Expression {
  const at = { ...from, depth: from.depth + 1 };
  if (at.depth > MAX_DEPTH) throw new HoldfastError('wire.too_large', { field: at.field, limit: MAX_DEPTH });
  if (typeof value === 'string') return { kind: 'text', text: plain(value, at.field) };
  if (Array.isArray(value)) {
    if (value.length > MAX_ITEMS) throw wrong(at.field, 'too many items');
    return { kind: 'list', items: value.map((each: JsonValue) => read(each, at)) };
  }
  if (!isJsonObject(value)) throw wrong(at.field, 'neither text nor function');
  const [entry, ...more] = Object.entries(value);
  const [name = '', argument = null] = entry ?? [];
  const parse = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (parse === undefined || more.length > 0) throw wrong(at.field, 'not one known function');
  if (name !== 'Ref' && !at.scope.functions) throw wrong(at.field, 'a function this kind of template has not');
  return parse(argument, at);
}

function argumentsOf(value: JsonValue, count: number, { field }: Place): readonly JsonValue[] {
  if (!Array.isArray(value) || value.length !== count) throw wrong(field, `not ${count} arguments`);
  return value as readonly JsonValue[];
}

function plain(value: JsonValue | undefined, field: string): string {
  if (typeof value !== 'string') throw wrong(field, 'not text');
  if (value.length > MAX_TEXT) throw wrong(field, 'too long');
  return value;
}

function declared(value: JsonValue, scope: ExpressionScope, field: string): string {
  const name = plain(value, field);
  if (!scope.parameters.has(name)) throw wrong(field, 'names no parameter');
  return name;
}

/**
 * What an expression comes to.
 *
 * @throws `wire.malformed` naming the field when a parameter without default is missing, a mapping lacks the key or an
 * index lies outside; `wire.too_large` for a text over 4,096 characters.
 */
export function evaluateText(expression: Expression, values: ExpressionValues, field: string): string {
  const value = evaluate(expression, values, field);
  if (typeof value !== 'string') throw wrong(field, 'a list');
  return value;
}

/** A list; one text is a list of one. @throws as `evaluateText` */
export function evaluateTexts(expression: Expression, values: ExpressionValues, field: string): readonly string[] {
  const value = evaluate(expression, values, field);
  return typeof value === 'string' ? [value] : value;
}

function evaluate(expression: Expression, values: ExpressionValues, field: string): string | readonly string[] {
  const text = (each: Expression) => evaluateText(each, values, field);
  const texts = (each: Expression) => evaluateTexts(each, values, field);
  switch (expression.kind) {
    case 'text':
      return expression.text;
    case 'list':
      return expression.items.map(text);
    case 'ref':
      return parameterOf(expression.name, values, field);
    case 'join':
      return bounded(texts(expression.from).join(expression.separator), field);
    case 'split':
      return text(expression.from).split(expression.separator);
    case 'select': {
      const chosen = texts(expression.from)[expression.index];
      if (chosen === undefined) throw wrong(field, 'index outside the list');
      return chosen;
    }
    case 'find':
      return foundIn(expression, values, field);
    case 'sub':
      return filledIn(expression, values, field);
    default:
      return expression satisfies never;
  }
}

function foundIn({ map, keys }: Kind<'find'>, values: ExpressionValues, field: string): string {
  const [first, second] = keys.map((key) => evaluateText(key, values, field));
  const found = values.mappings
    .get(map)
    ?.get(first ?? '')
    ?.get(second ?? '');
  if (found === undefined) throw wrong(field, 'not in the mapping');
  return found;
}

function filledIn({ text, given }: Kind<'sub'>, values: ExpressionValues, field: string): string {
  const own = new Map(given);
  const filled = text.replaceAll(PLACE, (_, name: string) => {
    if (name.startsWith('!')) return `\${${name.slice(1)}}`;
    const expression = own.get(name);
    return expression === undefined ? parameterOf(name, values, field) : evaluateText(expression, values, field);
  });
  return bounded(filled, field);
}

function parameterOf(name: string, { parameters }: ExpressionValues, field: string): string {
  const value = parameters.get(name);
  if (value === undefined) throw wrong(field, 'a parameter is missing');
  return bounded(value, field);
}

function bounded(text: string, field: string): string {
  if (text.length > MAX_TEXT) throw new HoldfastError('wire.too_large', { field, limit: MAX_TEXT });
  return text;
}
