import { describe, expect, it } from 'vitest';
import { mutantsOf } from './mutants.ts';

const changes = (source: string): readonly string[] => mutantsOf(source, 'x.ts').map(({ change }) => change);

describe('mutants of a source file', () => {
  it('turn conditions round, drop checks and move limits', () => {
    const source =
      'function judge(n: number) {\n  if (n > 3) return false;\n  check(n);\n  return !bad(n) && n !== 0;\n}';
    expect(changes(source)).toEqual([
      'condition negated',
      'check dropped',
      '> is >=',
      '3 is one more',
      'false turned round',
      'call dropped',
      '&& is ||',
      '! dropped',
      '!== is ===',
      '0 is one more',
    ]);
    expect(mutantsOf(source, 'x.ts')[1]).toMatchObject({ line: 2, source: source.replace('n > 3', 'false') });
  });

  it('leave alone what judges nothing: errors, types, writers, defaults of an index', () => {
    expect(changes('function f(a: 3) {\n  throw new SomeError(1 + 2);\n}')).toEqual([]);
    expect(changes('function encodeIt() {\n  if (a > 1) b();\n}')).toEqual([]);
    expect(changes('const x = list[i] ?? 0;')).toEqual([]);
    expect(changes('function f() {\n  if (!HoldfastError.is(error)) throw error;\n}')).toEqual([]);
  });

  it('give each another source than the one it came from', () => {
    const source = 'export const ok = (a: number) => (a === 1 ? list.some(Boolean) : true);';
    const sources = mutantsOf(source, 'x.ts').map((mutant) => mutant.source);
    expect(new Set([source, ...sources]).size).toBe(sources.length + 1);
  });
});
