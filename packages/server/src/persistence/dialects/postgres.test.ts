import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromPostgres } from './postgres-errors.ts';
import { escapeText, numberPlaces, parserOf, PostgresPhrases, unescapeText } from './postgres.ts';

describe("PostgreSQL's words", () => {
  it('number the places of values, not what stands in quotes', () => {
    expect(numberPlaces(`select "a?" from "t" where "b" = ? and "c" = '?' and "d" in (?, ?)`)).toBe(
      `select "a?" from "t" where "b" = $1 and "c" = '?' and "d" in ($2, $3)`,
    );
  });

  it('name a text once, up to a bound', () => {
    const phrases = new PostgresPhrases();
    const ask = (sql: string) => phrases.query({ sql, parameters: [] }).name;
    expect([ask('select 1'), ask('select 2'), ask('select 1')]).toEqual(['s0', 's1', 's0']);
    for (let at = 0; at < 600; at++) ask(`select ${at}`);
    expect([ask('select 2'), ask('select 599')]).toEqual(['s1', undefined]);
  });

  it('bring any text back as it was, without the character PostgreSQL has no place for', () => {
    const text = fc.string({ unit: fc.constantFrom('\u0000', '\uE000', '0', '1', 'a'), maxLength: 12 });
    fc.assert(
      fc.property(text, (given) => {
        const kept = escapeText(given);
        expect(kept).not.toContain('\u0000');
        expect(unescapeText(kept)).toBe(given);
      }),
      { numRuns: 300 },
    );
  });

  it('read whole numbers and bytes as SQLite gives them', () => {
    expect(parserOf(20)('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
    expect(parserOf(17)('\\x00ff10')).toEqual(Uint8Array.of(0, 255, 16));
    expect(parserOf(25)('text')).toBe('text');
  });
});

describe('what PostgreSQL reports', () => {
  const reported = (code: string) => Object.assign(new Error('Key (a)=(secret) exists'), { code });

  it.each([
    ['23505', 'store.conflict'],
    ['23503', 'store.conflict'],
    ['40001', 'store.conflict'],
    ['40P01', 'store.conflict'],
    ['53100', 'store.full'],
    ['53300', 'store.unavailable'],
    ['57P01', 'store.unavailable'],
    ['57014', 'store.unavailable'],
    ['08006', 'store.unavailable'],
    ['28P01', 'store.unavailable'],
    ['25006', 'store.unavailable'],
    ['XX001', 'store.corrupt'],
    ['23502', 'kernel.internal'],
    ['42601', 'kernel.internal'],
    ['ECONNREFUSED', 'store.unavailable'],
    ['EPIPE', 'store.unavailable'],
  ])('as %s is %s, and its words stay behind', (state, code) => {
    const error = fromPostgres(reported(state));
    expect(error.code).toBe(code);
    expect(JSON.stringify([error.details, error.cause, error.message])).not.toContain('secret');
  });

  it('without a code is a lost connection, and a fault of ours is one', () => {
    expect(fromPostgres(new Error('Connection terminated unexpectedly')).code).toBe('store.unavailable');
    expect(fromPostgres(new TypeError('x is not a function')).code).toBe('kernel.internal');
  });
});
