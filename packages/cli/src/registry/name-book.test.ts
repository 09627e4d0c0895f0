import { describe, expect, it } from 'vitest';
import { NameBook } from './name-book.ts';

const bookOf = (...rows: readonly (readonly [string, string])[]): NameBook => {
  const book = new NameBook();
  for (const [at, [id, serial]] of rows.entries()) book.note(at + 1, id, serial);
  return book;
};

describe('names in a file', () => {
  it('may be each other’s, as long as ids differ and serial numbers differ', () => {
    expect(() => bookOf(['a', 'b'], ['b', 'a'], ['c', 'c'])).not.toThrow();
  });

  it.each<[string, readonly [string, string], readonly [string, string], string]>([
    ['one id and serial number', ['a', 'a'], ['a', 'a'], 'id'],
    ['an id that has another serial number', ['a', 'a'], ['a', 'b'], 'id'],
    ['an id that had another serial number', ['a', 'b'], ['a', 'a'], 'id'],
    ['the serial number of a device named so', ['a', 'a'], ['b', 'a'], 'serial'],
    ['the serial number of a device named otherwise', ['b', 'a'], ['a', 'a'], 'serial'],
    ['one serial number for two', ['b', 'a'], ['c', 'a'], 'serial'],
  ])('are refused for %s', (_name, first, second, what) => {
    expect(() => bookOf(first, second)).toThrowError(
      expect.objectContaining({ code: 'cli.bad_table', details: { line: 2, reason: `${what} as in line 1` } }),
    );
  });
});
