import { isJsonObject, type JsonValue } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptedPart, deltaOf, EMPTY_DOCUMENT, mergeShadow, sizeOfState } from './shadow-document.ts';

type Section = { readonly [key: string]: JsonValue };

const leaf = fc.oneof(fc.integer(), fc.boolean(), fc.constantFrom('x', 'y'), fc.array(fc.integer(), { maxLength: 2 }));
const key = fc.constantFrom('a', 'b', 'timestamp', '__proto__', 'constructor');
const section = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf, { minKeys: 1, maxKeys: 3 })), {
  maxKeys: 4,
}) as fc.Arbitrary<Section>;

/** Every path to a value, written down. */
function paths(value: JsonValue | undefined, isLeaf: (value: JsonValue) => boolean, at = ''): string[] {
  if (value === undefined || isLeaf(value)) return [at];
  if (Array.isArray(value)) return value.flatMap((each, index) => paths(each as JsonValue, isLeaf, `${at}/${index}`));
  return Object.entries(value as Section).flatMap(([name, each]) => paths(each, isLeaf, `${at}/${name}`));
}

const isPlain = (value: JsonValue) => typeof value !== 'object';
const isStamp = (value: JsonValue) =>
  isJsonObject(value) && Object.keys(value).join() === 'timestamp' && typeof value['timestamp'] === 'number';

describe('a shadow document', () => {
  it('has a time for every value, and none for what is gone', () => {
    fc.assert(
      fc.property(fc.array(section, { minLength: 1, maxLength: 4 }), (patches) => {
        let document = EMPTY_DOCUMENT;
        for (const [at, desired] of patches.entries()) document = mergeShadow(document, { desired }, at);
        expect(paths(document.metadata.desired ?? {}, isStamp)).toEqual(paths(document.state.desired ?? {}, isPlain));
      }),
      { numRuns: 60 },
    );
  });

  it('has no difference once what is desired is reported', () => {
    fc.assert(
      fc.property(section, section, (desired, reported) => {
        const apart = mergeShadow(EMPTY_DOCUMENT, { desired, reported }, 1);
        const wish = mergeShadow(EMPTY_DOCUMENT, { desired }, 1).state.desired ?? {};
        const whole = mergeShadow(mergeShadow(apart, { reported: null }, 2), { reported: wish }, 3);
        expect(deltaOf(whole)).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  it('tells as difference what is desired alone, whole where the other is of another kind', () => {
    const state = { desired: { a: { b: 1 }, c: [1, 2], d: 1 }, reported: { a: 3, c: [1, 2], e: 5 } };
    const document = mergeShadow(EMPTY_DOCUMENT, state, 7);
    expect(deltaOf(document)).toEqual({
      state: { a: { b: 1 }, d: 1 },
      metadata: { a: { b: { timestamp: 7 } }, d: { timestamp: 7 } },
    });
  });

  it('replaces lists whole and keeps an object that was sent empty', () => {
    const before = mergeShadow(EMPTY_DOCUMENT, { reported: { list: [1, { a: 1 }], keep: 1 } }, 1);
    const after = mergeShadow(before, { reported: { list: [2], empty: {} } }, 2);
    expect(after).toEqual({
      state: { reported: { list: [2], keep: 1, empty: {} } },
      metadata: { reported: { list: [{ timestamp: 2 }], keep: { timestamp: 1 }, empty: {} } },
    });
  });

  it('keeps times apart from an attribute called timestamp', () => {
    const first = mergeShadow(EMPTY_DOCUMENT, { desired: { timestamp: { timestamp: 5 } } }, 1);
    const second = mergeShadow(first, { desired: { timestamp: { other: 1 } } }, 2);
    expect(second.metadata.desired).toEqual({ timestamp: { timestamp: { timestamp: 1 }, other: { timestamp: 2 } } });
  });

  it('repeats what was asked, removals included', () => {
    expect(acceptedPart({ desired: { a: null, b: 1 }, reported: null }, 9)).toEqual({
      state: { desired: { a: null, b: 1 }, reported: null },
      metadata: { desired: { a: null, b: { timestamp: 9 } }, reported: null },
    });
  });

  it('is measured without its times', () => {
    expect(sizeOfState({ desired: { ä: 1 } })).toBe('{"desired":{"ä":1}}'.length + 1);
  });
});
