import { describe, expect, it } from 'vitest';
import { brokenRule, checkRule } from './hook-rule.ts';

describe('the patterns of a provisioning rule', () => {
  it.each([
    ['alternatives one after the other', '(?:a|a)'.repeat(30)],
    ['options one after the other', `${'a?'.repeat(60)}${'a'.repeat(60)}`],
    ['three repeats', '[a-z]*[a-z]*[a-z]*x'],
    ['counted repeats', 'a{0,200}a{0,200}a{0,200}'],
    ['a repeat beside many options', `a*${'b?'.repeat(20)}`],
    ['a repeated group', '(?:a+)+'],
    ['a look ahead', '(?=a)a'],
    ['a reference back', '(a)\\1'],
  ])('are refused when they try a value too many ways: %s', (_name, pattern) => {
    expect(() => checkRule({ parameters: { SerialNumber: pattern } })).toThrow(
      expect.objectContaining({ code: 'request.invalid' }),
    );
  });

  it.each([
    ['(?:EU|US|AP)-[0-9]{8}', 'US-12345678', 'US-1234567'],
    ['LAMP-[A-Z]+-\\d+', 'LAMP-AB-12', 'LAMP-12'],
    ['(?:rev-)?[a-f](?:1|2|3)?', 'rev-a2', 'rev-'],
    [Array.from({ length: 60 }, (_, at) => `x${at}`).join('|'), 'x59', 'x60'],
    ['[?|(*+]{3}', '?|(', '?|'],
  ])('are kept and hold for the whole value: %s', (pattern, good, bad) => {
    const rule = checkRule({ parameters: { SerialNumber: pattern } });
    const ask = (value: string) =>
      brokenRule(rule, { parameters: { SerialNumber: value }, serialNumber: value, used: 0 });
    expect(ask(good)).toBeUndefined();
    expect(ask(bad)).toMatchObject({ kind: 'refused', rule: 'rule-parameters' });
  });
});
