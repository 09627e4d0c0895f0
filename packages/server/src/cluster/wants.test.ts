import { describe, expect, it } from 'vitest';
import { Wants } from './wants.ts';

const NONE: ReadonlySet<string> = new Set();
const nodes = (wants: Wants, topic: string) => [...wants.of('r', topic, NONE).keys()];

describe('what other nodes want', () => {
  it('is matched by the rules of MQTT, realm by realm', () => {
    const wants = new Wants();
    wants.set('a', 'r', 'x/+/z', true);
    wants.set('b', 'r', 'x/#', true);
    wants.set('c', 'other', '#', true);
    expect(nodes(wants, 'x/y/z')).toEqual(expect.arrayContaining(['a', 'b']));
    expect(nodes(wants, 'x/y')).toEqual(['b']);
    expect(nodes(wants, 'y')).toEqual([]);
    wants.set('b', 'r', 'x/#', false);
    expect(nodes(wants, 'x/y')).toEqual([]);
  });

  it('ends with a node, and with a snapshot that does not name it', () => {
    const wants = new Wants();
    for (const text of ['one', 'two']) wants.set('a', 'r', text, true);
    wants.snapshot('a', 'begin');
    wants.set('a', 'r', 'two', true);
    expect(nodes(wants, 'one')).toEqual(['a']);
    wants.snapshot('a', 'end');
    expect([nodes(wants, 'one'), nodes(wants, 'two')]).toEqual([[], ['a']]);
    wants.forget('a');
    expect(nodes(wants, 'two')).toEqual([]);
  });

  it('gives each shared subscription to one node in turn, unless it is served already', () => {
    const wants = new Wants();
    for (const node of ['a', 'b']) wants.set(node, 'r', '$share/g/x', true);
    const picked = new Map([1, 2].flatMap(() => [...wants.of('r', 'x', NONE)]));
    expect(picked).toEqual(
      new Map([
        ['a', ['$share/g/x']],
        ['b', ['$share/g/x']],
      ]),
    );
    expect(wants.of('r', 'x', new Set(['$share/g/x'])).size).toBe(0);
  });
});
