import type { DeviceRoute } from './device-route.ts';

export type RouteMatch =
  | { readonly kind: 'route'; readonly route: DeviceRoute; readonly params: Readonly<Record<string, string>> }
  /** The path is known with other verbs. */
  | { readonly kind: 'method'; readonly allow: readonly string[] }
  | { readonly kind: 'none' };

interface Row {
  readonly route: DeviceRoute;
  readonly segments: readonly string[];
}

/** Finds the row of a request. Two rows that could take the same request are refused when the table is made. */
export class RouteTable {
  readonly #rows: readonly Row[];
  readonly #wholeRests: readonly string[];

  constructor(routes: readonly DeviceRoute[]) {
    this.#rows = routes.map((route) => ({ route, segments: route.path.split('/').slice(1) }));
    this.#wholeRests = routes.flatMap(({ path }) =>
      path.endsWith('*}') ? [path.slice(0, path.lastIndexOf('{'))] : [],
    );
    for (const [at, row] of this.#rows.entries()) {
      const rival = this.#rows.slice(at + 1).find((other) => overlap(row, other));
      if (rival !== undefined) {
        throw new TypeError(`two routes take ${row.route.method} ${row.route.path}: the other is ${rival.route.path}`);
      }
    }
  }

  get routes(): readonly DeviceRoute[] {
    return this.#rows.map(({ route }) => route);
  }

  /** Cuts a target as these rows read it. */
  parse(target: string): ParsedTarget | undefined {
    return parseTarget(target, this.#wholeRests);
  }

  find(method: string, segments: readonly string[]): RouteMatch {
    const matching = this.#rows.filter((row) => fits(row.segments, segments));
    const row = matching.find(({ route }) => route.method === method);
    if (row !== undefined) return { kind: 'route', route: row.route, params: paramsOf(row, segments) };
    if (matching.length === 0) return { kind: 'none' };
    return { kind: 'method', allow: [...new Set(matching.map(({ route }) => route.method))].sort() };
  }
}

interface ParsedTarget {
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

/**
 * Cuts a request target into decoded segments; undefined for every form two parsers could read differently: absolute
 * URLs, dot segments, empty segments, encoded slashes, control characters, bad percent-encoding (AC29).
 *
 * @param wholeRests - Beginnings of paths, slash included, whose rest is one segment that may hold slashes, encoded or
 * not: topics. A dot segment is refused there too.
 */
export function parseTarget(target: string, wholeRests: readonly string[] = []): ParsedTarget | undefined {
  const [path = '', query = '', ...fragments] = splitOnce(target, '?');
  if (!path.startsWith('/') || target.includes('#') || fragments.length > 0) return undefined;
  const before = wholeRests.find((start) => path.startsWith(start));
  const plain = before === undefined ? path.slice(1) : before.slice(1, -1);
  const segments = plain.split('/').map(decodeSegment);
  if (before !== undefined) segments.push(decodeRest(path.slice(before.length)));
  if (!segments.every((segment) => segment !== undefined)) return undefined;
  return { segments, query: new URLSearchParams(query) };
}

function decodeRest(raw: string): string | undefined {
  // What is empty without decoding would be folded away by whoever stands in between.
  if (raw.split('/').includes('')) return undefined;
  const rest = decodeText(raw);
  if (rest === undefined || rest.split('/').some((level) => level === '.' || level === '..')) return undefined;
  return /[\\\p{Cc}]/u.test(rest) ? undefined : rest;
}

function decodeSegment(raw: string): string | undefined {
  const segment = decodeText(raw);
  if (segment === undefined || segment === '' || segment === '.' || segment === '..') return undefined;
  return /[/\\\p{Cc}]/u.test(segment) ? undefined : segment;
}

function decodeText(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{') && segment.endsWith('}');
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length && pattern.every((part, index) => isParameter(part) || part === segments[index])
  );
}

function overlap(a: Row, b: Row): boolean {
  return (
    a.route.method === b.route.method &&
    a.segments.length === b.segments.length &&
    a.segments.every((part, index) => {
      const other = b.segments[index] ?? '';
      return part === other || isParameter(part) || isParameter(other);
    })
  );
}

function paramsOf(row: Row, segments: readonly string[]): Readonly<Record<string, string>> {
  const params: Record<string, string> = {};
  for (const [index, part] of row.segments.entries()) {
    if (isParameter(part)) params[part.slice(1, -1).replace('*', '')] = segments[index] ?? '';
  }
  return params;
}
