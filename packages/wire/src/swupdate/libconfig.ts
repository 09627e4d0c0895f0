import { HoldfastError, type JsonValue } from '@holdfast/kernel';

const MAX_DEPTH = 16;
const SPACE = /(?:\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const NAME = /[A-Za-z*][A-Za-z0-9_*-]*/y;
const NUMBER = /[+-]?(?:0[xX][0-9A-Fa-f]+L{0,2}|(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?L{0,2})/y;
const BOOLEAN = /(?:true|false)\b/iy;
const STRING = /"((?:[^"\\\n]|\\[\\fnrt"]|\\x[0-9A-Fa-f]{2})*)"/y;
const ESCAPES: Readonly<Record<string, string>> = { f: '\f', n: '\n', r: '\r', t: '\t' };
const CLOSE = { '{': '}', '(': ')', '[': ']' } as const;

/**
 * Parses libconfig text as plain values: groups as objects, lists and arrays as arrays. Includes are refused, since what
 * they name is not signed.
 *
 * @throws `wire.malformed` with the offset, `wire.duplicate` for a name twice in a group, `wire.too_large` over 16 levels
 * @see libconfig manual, Configuration File Grammar
 */
export function parseLibconfig(text: string): { readonly [name: string]: JsonValue } {
  const parser = new LibconfigParser(text);
  return parser.settings('', 0);
}

class LibconfigParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#match(SPACE);
  }

  /** Settings up to a closing character, or to the end of the text for none. */
  settings(end: string, depth: number): { [name: string]: JsonValue } {
    const group: { [name: string]: JsonValue } = {};
    while (this.#at < this.#text.length && this.#peek() !== end) {
      const { offset, name } = this.#name();
      if (Object.hasOwn(group, name)) throw new HoldfastError('wire.duplicate', { field: 'setting', offset });
      if (!this.#take('=') && !this.#take(':')) throw this.#malformed('setting');
      group[name] = this.#value(depth);
      if (!this.#take(';')) this.#take(',');
    }
    if (end !== '' && !this.#take(end)) throw this.#malformed('group');
    return group;
  }

  #name(): { offset: number; name: string } {
    const offset = this.#at;
    const name = this.#match(NAME)?.[0];
    if (name === undefined) throw this.#malformed('name');
    return { offset, name };
  }

  #value(depth: number): JsonValue {
    if (depth === MAX_DEPTH) throw new HoldfastError('wire.too_large', { field: 'libconfig', limit: MAX_DEPTH });
    if (this.#take('{')) return this.settings(CLOSE['{'], depth + 1);
    if (this.#take('(')) return this.#items(CLOSE['('], depth + 1);
    if (this.#take('[')) return this.#items(CLOSE['['], depth + 1);
    if (this.#peek() === '"') return this.#string();
    const boolean = this.#match(BOOLEAN)?.[0];
    if (boolean !== undefined) return boolean.toLowerCase() === 'true';
    const number = this.#match(NUMBER)?.[0];
    if (number === undefined) throw this.#malformed('value');
    return Number(number.replace(/L+$/, '').replace(/^\+/, ''));
  }

  #items(end: string, depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    while (!this.#take(end)) {
      items.push(this.#value(depth));
      if (!this.#take(',') && this.#peek() !== end) throw this.#malformed('list');
    }
    return items;
  }

  /** Strings side by side are one. */
  #string(): string {
    let whole = '';
    while (this.#peek() === '"') {
      const part = this.#match(STRING)?.[1];
      if (part === undefined) throw this.#malformed('string');
      whole += part.replace(/\\(x[0-9A-Fa-f]{2}|.)/g, (_, code: string) =>
        code.startsWith('x') ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? code),
      );
    }
    return whole;
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    this.#match(SPACE);
    return true;
  }

  /** Matches here and passes the space behind; the pattern of the space itself passes nothing more. */
  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    this.#at += found[0].length;
    if (pattern !== SPACE) this.#match(SPACE);
    return found;
  }

  #malformed(field: string): HoldfastError {
    return new HoldfastError('wire.malformed', { field, reason: 'libconfig', offset: this.#at });
  }
}
