import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { judgeLimboCase, type LimboCase } from './limbo.ts';

interface Expectation extends LimboCase {
  readonly expected_result: 'SUCCESS' | 'FAILURE';
}

const file = new URL('../../../packages/crypto/vectors/x509/limbo-sample.json', import.meta.url);
const { testcases } = JSON.parse(readFileSync(file, 'utf8')) as { readonly testcases: readonly Expectation[] };

describe('x509-limbo', () => {
  it('agrees with us on all 68 cases of the sample', () => {
    const differing = testcases.flatMap((limbo) => {
      const { id, verdict, reason } = judgeLimboCase(limbo, Date.UTC(2026, 5, 1));
      return (verdict === 'accept') === (limbo.expected_result === 'SUCCESS') ? [] : [{ id, verdict, reason }];
    });
    expect(differing).toEqual([]);
    expect(testcases.length).toBe(68);
  });
});
