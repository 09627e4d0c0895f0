import { describe, expect, it } from 'vitest';
import type { GeneralName } from '@holdfast/wire/x509';
import { dns, judge, nameOf } from './sample-paths.ts';

describe('name constraints', () => {
  const email = (text: string): GeneralName => ({ kind: 'email', text });
  const uri = (text: string): GeneralName => ({ kind: 'uri', text });
  const ip = (...octets: readonly number[]): GeneralName => ({ kind: 'ip', bytes: Uint8Array.from(octets) });
  const NET = ip(192, 0, 2, 0, 255, 255, 255, 0);
  const other: GeneralName = { kind: 'other', type: '1.2.3', value: Uint8Array.of(5, 0) };

  it.each<[string, GeneralName, GeneralName, boolean]>([
    ['a host below the tree', dns('example.com'), dns('a.b.example.com'), true],
    ['the tree itself, in other case', dns('Example.COM'), dns('example.com'), true],
    ['a name that merely ends alike', dns('example.com'), dns('notexample.com'), false],
    ['an asterisk wider than the tree', dns('foo.example.com'), dns('*.example.com'), false],
    ['an asterisk inside the tree', dns('example.com'), dns('*.example.com'), true],
    ['every name under the empty tree', dns(''), dns('example.com'), true],
    ['a mailbox on the host', email('example.com'), email('a@example.com'), true],
    ['a mailbox on a host below', email('example.com'), email('a@b.example.com'), false],
    ['a mailbox below a dotted domain', email('.example.com'), email('a@b.example.com'), true],
    ['the very mailbox', email('a@example.com'), email('a@EXAMPLE.com'), true],
    ['another local part', email('a@example.com'), email('A@example.com'), false],
    ['a URI on the host', uri('example.com'), uri('https://u@example.com:1/x'), true],
    ['a URI below a dotted domain', uri('.example.com'), uri('https://a.example.com'), true],
    ['a URI whose user looks like the host', uri('example.com'), uri('https://example.com@evil.test/'), false],
    ['a URI without a host', uri('example.com'), uri('urn:x:y'), false],
    ['an address in the net', NET, ip(192, 0, 2, 7), true],
    ['an address outside the net', NET, ip(192, 0, 3, 7), false],
  ])('permit %s as RFC 5280 says', async (_name, constraint, name, isInside) => {
    const verdict = await judge({ issuing: { permitted: [constraint] }, device: { san: [name] } });
    expect(verdict).toEqual(
      isInside ? expect.objectContaining({ kind: 'valid' }) : { kind: 'invalid', reason: 'not-permitted' },
    );
  });

  it.each<[string, GeneralName, GeneralName]>([
    ['a host below', dns('example.com'), dns('a.example.com')],
    ['an asterisk that may mean the excluded name', dns('foo.example.com'), dns('*.example.com')],
    ['a URI whose host cannot be told', uri('example.com'), uri('https://[::1]/')],
    ['an address in the net', NET, ip(192, 0, 2, 1)],
  ])('exclude %s', async (_name, constraint, name) => {
    const verdict = await judge({ root: { excluded: [constraint] }, device: { san: [name] } });
    expect(verdict).toEqual({ kind: 'invalid', reason: 'excluded' });
  });

  it.each<[string, GeneralName]>([
    ['a leading dot', dns('.example.com')],
    ['an asterisk', dns('*.example.com')],
    ['an address without mask', ip(127, 0, 0, 1)],
    ['a mask with holes', ip(10, 0, 0, 0, 255, 0, 255, 0)],
    ['two at signs', email('a@b@example.com')],
  ])('with %s are refused', async (_name, constraint) => {
    expect(await judge({ issuing: { permitted: [constraint] } })).toEqual({
      kind: 'invalid',
      reason: 'constraint-form',
    });
  });

  it('on a kind we do not know refuse a name of that kind and no other', async () => {
    expect(await judge({ issuing: { excluded: [other] }, device: { san: [other] } })).toEqual({
      kind: 'invalid',
      reason: 'name-form',
    });
    expect((await judge({ issuing: { excluded: [other] } })).kind).toBe('valid');
  });

  it('apply to the subject as a directory name', async () => {
    const directory = (name: string): GeneralName => ({ kind: 'directory', name: { raw: nameOf(name), rdns: [] } });
    expect(await judge({ root: { excluded: [directory('device')] } })).toEqual({ kind: 'invalid', reason: 'excluded' });
  });

  it('times names that would take quadratic time end in a refusal', async () => {
    const many = Array.from({ length: 400 }, (_, n) => dns(`n${n}.example.com`));
    expect(await judge({ issuing: { permitted: many }, device: { san: many } })).toEqual({
      kind: 'invalid',
      reason: 'budget',
    });
  });
});
