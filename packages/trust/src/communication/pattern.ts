import { HoldfastError } from '@holdfast/kernel';
import { isPolicyVariable } from './variables.ts';

/** One piece of a policy text: literal characters, `*`, `?`, or a variable to be filled in per connection. */
export type PatternPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'one' }
  | { readonly kind: 'variable'; readonly name: string };

const ANY: PatternPart = { kind: 'any' };
const ONE: PatternPart = { kind: 'one' };

/**
 * Cuts a policy text into parts. `*` and `?` are wildcards unless `wildcards` is false; MQTT's `+` and `#` are
 * ordinary characters; `${…}` is a variable.
 *
 * @throws `communication.policy_invalid` for an unknown variable, or one that does not end.
 * @see AWS IoT developer guide, pub-sub-policy
 */
export function parsePattern(text: string, field: string, wildcards = true): readonly PatternPart[] {
  const parts: PatternPart[] = [];
  let literal = '';
  const flush = () => {
    if (literal !== '') parts.push({ kind: 'text', text: literal });
    literal = '';
  };
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '$' && text.charAt(at + 1) === '{') {
      const end = text.indexOf('}', at);
      const name = end < 0 ? '' : text.slice(at + 2, end);
      if (!isPolicyVariable(name))
        throw new HoldfastError('communication.policy_invalid', { field, reason: 'variable' });
      flush();
      parts.push({ kind: 'variable', name });
      at = end;
    } else if (wildcards && (char === '*' || char === '?')) {
      flush();
      parts.push(char === '*' ? ANY : ONE);
    } else {
      literal += char;
    }
  }
  flush();
  return parts;
}

/**
 * Puts values in the place of variables.
 *
 * A variable without a value makes an Allow pattern unusable (undefined is returned) and widens a Deny pattern to any
 * run: either way the doubt denies.
 */
export function fillPattern(
  parts: readonly PatternPart[],
  valueOf: (name: string) => string | undefined,
  unresolved: 'drop' | 'widen',
): readonly PatternPart[] | undefined {
  const filled: PatternPart[] = [];
  for (const part of parts) {
    const text = part.kind === 'variable' ? valueOf(part.name) : undefined;
    if (part.kind !== 'variable') filled.push(part);
    else if (text !== undefined) filled.push({ kind: 'text', text });
    else if (unresolved === 'widen') filled.push(ANY);
    else return undefined;
  }
  return filled;
}

export type Matcher = (text: string) => boolean;

/** A matcher over parts without variables; its time grows with the text, whatever the pattern. */
export function compileMatcher(parts: readonly PatternPart[]): Matcher {
  if (parts.some((part) => part.kind === 'one')) return matchByCharacter(parts);
  const runs = [''];
  for (const part of parts) {
    if (part.kind === 'any') runs.push('');
    else if (part.kind === 'text') runs[runs.length - 1] += part.text;
  }
  return matchRuns(runs);
}

/** Texts that follow each other with anything between; the leftmost place of each is always the right one. */
function matchRuns(runs: readonly string[]): Matcher {
  const [first = '', ...rest] = runs;
  const last = rest.pop();
  if (last === undefined) return (text) => text === first;
  const inner = rest.filter((run) => run !== '');
  if (inner.length === 0 && last === '') return (text) => text.startsWith(first);
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let at = first.length;
    for (const run of inner) {
      const found = text.indexOf(run, at);
      if (found < 0 || found + run.length > end) return false;
      at = found + run.length;
    }
    return at <= end;
  };
}

/** `?` is one character, not one UTF-16 unit. Only the last `*` is ever reconsidered, so work is at most text × pattern. */
function matchByCharacter(parts: readonly PatternPart[]): Matcher {
  const pattern = parts.flatMap((part): (string | PatternPart)[] =>
    part.kind === 'text' ? Array.from(part.text) : [part],
  );
  return (text) => {
    const chars = Array.from(text);
    let at = 0;
    let position = 0;
    let star = -1;
    let retry = 0;
    while (at < chars.length) {
      const want = pattern[position];
      if (want === ANY) {
        star = position++;
        retry = at;
      } else if (want === ONE || (want !== undefined && want === chars[at])) {
        position++;
        at++;
      } else if (star >= 0) {
        position = star + 1;
        at = ++retry;
      } else {
        return false;
      }
    }
    while (pattern[position] === ANY) position++;
    return position === pattern.length;
  };
}
