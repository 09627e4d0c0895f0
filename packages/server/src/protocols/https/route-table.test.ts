import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceRoute } from './device-route.ts';
import { parseTarget, RouteTable } from './route-table.ts';

const isPrintable = (text: string): boolean => Array.from(text).every((char) => char >= ' ' && char !== '\u007f');

const route = (method: DeviceRoute['method'], path: string): DeviceRoute => ({
  method,
  path,
  audience: ['device'],
  maxBodyBytes: 0,
  handle: () => Promise.resolve({ status: 200 }),
});

describe('a route table', () => {
  const table = new RouteTable([route('GET', '/a/{x}'), route('POST', '/a/{x}'), route('GET', '/a/{x}/b/{y}')]);

  it('finds rows by method and path, with the parts the path names', () => {
    expect(table.find('GET', ['a', '1'])).toMatchObject({ kind: 'route', params: { x: '1' } });
    expect(table.find('GET', ['a', '1', 'b', '2'])).toMatchObject({ kind: 'route', params: { x: '1', y: '2' } });
    expect(table.find('PUT', ['a', '1'])).toEqual({ kind: 'method', allow: ['GET', 'POST'] });
    expect(table.find('GET', ['a'])).toEqual({ kind: 'none' });
    expect(table.find('GET', ['a', '1', 'c', '2'])).toEqual({ kind: 'none' });
    expect(table.find('get', ['a', '1'])).toMatchObject({ kind: 'method' });
  });

  it('refuses two rows for one request', () => {
    expect(() => new RouteTable([route('GET', '/a/{x}'), route('GET', '/{y}/b')])).toThrow();
    expect(() => new RouteTable([route('GET', '/a'), route('GET', '/a')])).toThrow();
  });
});

describe('a row that takes the rest of the path', () => {
  const table = new RouteTable([route('POST', '/topics/{topic*}'), route('GET', '/a/{x}')]);

  it.each([
    ['/topics/a', 'a'],
    ['/topics/a/b', 'a/b'],
    ['/topics/a%2Fb?qos=1', 'a/b'],
    ['/topics/%24aws/a%2F%2Fb', '$aws/a//b'],
    ['/topics/%252e', '%2e'],
  ])('reads %s', (target, topic) => {
    const segments = table.parse(target)?.segments ?? [];
    expect(table.find('POST', segments)).toMatchObject({ kind: 'route', params: { topic } });
  });

  it.each([
    '/topics/',
    '/topics//a',
    '/topics/a//b',
    '/topics/a/',
    '/topics/../a',
    '/topics/a/%2e%2e/b',
    '/topics/a%2F..%2Fb',
    '/topics/a%00',
    '/topics/a%5Cb',
    '/topics/%ff',
    '/a/b%2Fc',
  ])('refuses %s', (target) => {
    expect(table.parse(target)).toBeUndefined();
  });

  it('leaves other paths as they are', () => {
    expect(table.find('POST', table.parse('/topics')?.segments ?? [])).toEqual({ kind: 'none' });
    expect(table.find('GET', table.parse('/a/b')?.segments ?? [])).toMatchObject({ params: { x: 'b' } });
  });
});

describe('a request target', () => {
  it.each([
    '',
    'a',
    '*',
    'http://x/a',
    '//a',
    '/a//b',
    '/a/',
    '/',
    '/.',
    '/a/../b',
    '/%2e%2e/a',
    '/a%2fb',
    '/a%5cb',
    '/%00',
    '/a#b',
    '/%',
    '/%ff',
  ])('is refused as %j', (target) => {
    expect(parseTarget(target)).toBeUndefined();
  });

  it('is decoded once', () => {
    expect(parseTarget('/a%3Ab/%2541?c=%20d')).toMatchObject({ segments: ['a:b', '%41'] });
    expect(parseTarget('/a?c=%20d&c=e')?.query.getAll('c')).toEqual([' d', 'e']);
  });

  it('gives for any segments the same ones back', () => {
    const segment = fc
      .string({ minLength: 1 })
      .filter((text) => !/[/\\]|^\.\.?$/.test(text) && isPrintable(text) && text.isWellFormed());
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
        expect(parseTarget(`/${segments.map(encodeURIComponent).join('/')}`)?.segments).toEqual(segments);
      }),
    );
  });
});
