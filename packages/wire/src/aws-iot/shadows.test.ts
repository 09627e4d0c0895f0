import { decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeShadowMembers,
  encodeShadowDeletion,
  encodeShadowRejection,
  encodeShadowReply,
  encodeShadowUpdated,
  readShadowToken,
  readShadowUpdate,
} from './index.ts';

const read = (json: string) => readShadowUpdate(decodeShadowMembers(encodeUtf8(json)));
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });
const told = (bytes: Uint8Array): unknown => JSON.parse(decodeUtf8(bytes));

describe('a shadow request', () => {
  it('is read as the AWS developer guide shows it', () => {
    const guide = '{"state":{"desired":{"color":{"r":10},"engine":"ON"}},"clientToken":"token","version":9}';
    expect(read(guide)).toEqual({
      state: { desired: { color: { r: 10 }, engine: 'ON' } },
      version: 9,
      clientToken: 'token',
    });
  });

  it('ends in a NUL byte from stock C clients, and may be empty', () => {
    expect(read('{"state":{"reported":{"on":true}}}\0').state).toEqual({ reported: { on: true } });
    expect(readShadowToken(decodeShadowMembers(new Uint8Array(0)))).toBeUndefined();
  });

  it('tells a section that is removed from one that is not spoken of', () => {
    expect(read('{"state":{"desired":null}}').state).toEqual({ desired: null });
    expect(read('{"state":{}}').state).toEqual({});
  });

  it('keeps an attribute called __proto__ an attribute', () => {
    const { desired } = read('{"state":{"desired":{"__proto__":{"x":1}}}}').state;
    expect(Object.keys(desired ?? {})).toEqual(['__proto__']);
  });

  it.each([
    ['{', { code: 'wire.malformed', details: { field: 'json' } }],
    ['[]', { code: 'wire.malformed', details: { field: 'json' } }],
    ['{}', { code: 'wire.malformed', details: { field: 'state', reason: 'missing' } }],
    ['{"state":null}', { code: 'wire.malformed', details: { field: 'state', reason: 'not an object' } }],
    ['{"state":{"desired":1}}', { code: 'wire.malformed', details: { field: 'desired' } }],
    ['{"state":{"reported":[]}}', { code: 'wire.malformed', details: { field: 'reported' } }],
    ['{"state":{},"version":-1}', { code: 'wire.malformed', details: { field: 'version' } }],
    ['{"state":{},"version":1.5}', { code: 'wire.malformed', details: { field: 'version' } }],
    [`{"state":{},"clientToken":"${'t'.repeat(65)}"}`, { code: 'wire.malformed', details: { field: 'clientToken' } }],
    ['{"state":{"desired":{"a":[1,null]}}}', { code: 'wire.malformed', details: { field: 'node' } }],
    [`{"state":{"desired":${JSON.stringify(nested(9))}}}`, { code: 'wire.too_large', details: { field: 'levels' } }],
    [`{"state":{}}${' '.repeat(16_400)}`, { code: 'wire.too_large', details: { field: 'payload' } }],
  ])('is refused when it is %s', (json, expected) => {
    expect(() => read(json)).toThrowError(
      expect.objectContaining({ ...expected, details: expect.objectContaining(expected.details) }),
    );
  });

  it('may nest eight levels, lists counted', () => {
    expect(read(`{"state":{"desired":${JSON.stringify(nested(8))}}}`).state.desired).toEqual(nested(8));
    expect(() => read('{"state":{"desired":{"a":[[[[[[[[1]]]]]]]]}}}')).toThrow();
  });

  it('is a request or one coded error, whatever the bytes are', () => {
    const pieces = fc.constantFrom(
      '{"state":',
      '{"desired":',
      'null',
      '[',
      ']',
      '}',
      '1',
      ',"version":',
      '"a"',
      ':',
      '{',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.array(pieces, { maxLength: 12 }).map((all) => encodeUtf8(all.join(''))),
        ),
        (bytes) => {
          try {
            expect(readShadowUpdate(decodeShadowMembers(bytes)).state).toBeTypeOf('object');
          } catch (error) {
            expect(HoldfastError.is(error)).toBe(true);
          }
        },
      ),
    );
  });

  it('is refused at every truncation', () => {
    const whole = encodeUtf8('{"state":{"desired":{"on":true}},"version":3}');
    for (let length = 1; length < whole.length; length++) {
      expect(() => readShadowUpdate(decodeShadowMembers(whole.subarray(0, length)))).toThrow();
    }
  });
});

describe('what a shadow says', () => {
  const document = { state: { desired: { on: true } }, metadata: { desired: { on: { timestamp: 7 } } } };

  it('counts seconds, and leaves out a token nobody sent', () => {
    expect(told(encodeShadowReply({ ...document, version: 3, at: 7999 }))).toEqual({
      ...document,
      version: 3,
      timestamp: 7,
    });
    expect(told(encodeShadowDeletion({ version: 3, at: 7999, clientToken: 't' }))).toEqual({
      version: 3,
      timestamp: 7,
      clientToken: 't',
    });
    expect(told(encodeShadowRejection({ code: 409, message: 'Version conflict', at: 7999, clientToken: 't' }))).toEqual(
      {
        code: 409,
        message: 'Version conflict',
        timestamp: 7,
        clientToken: 't',
      },
    );
  });

  it('shows what was and what is', () => {
    const previous = { state: {}, metadata: {}, version: 2 };
    const current = { ...document, version: 3 };
    expect(told(encodeShadowUpdated({ previous, current, at: 7000, clientToken: undefined }))).toEqual({
      previous,
      current,
      timestamp: 7,
    });
  });
});
