import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import {
  ByteReader,
  decodeBase64,
  decodeBase64Url,
  decodeHex,
  defineMachine,
  encodeBase64,
  encodeBase64Url,
  encodeCanonicalJson,
  encodeHex,
  HoldfastError,
  ManualClock,
  parseDeviceJson,
  parseStrictJson,
} from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });

describe('text encodings', () => {
  it('agree with the platform for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(encodeHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect(encodeBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
        expect(decodeHex(encodeHex(bytes))).toEqual(bytes);
        expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes);
        expect(decodeBase64Url(encodeBase64Url(bytes))).toEqual(bytes);
      }),
    );
  });

  it.each(['A', 'AA', 'AAA', 'AB==', 'AAB=', 'A A=', '====', 'AA=A', 'A\u0141==', 'AA==AA=='])(
    'refuse %j as base64, so that one value has one text',
    (text) => {
      expect(() => decodeBase64(text)).toThrowError(coded('wire.malformed'));
    },
  );
});

describe('ByteReader', () => {
  it('names the field and the offset of what is missing', () => {
    const reader = new ByteReader(new Uint8Array([1, 2, 3]));
    expect(reader.u16be('first')).toBe(0x0102);
    expect(() => reader.u16be('second')).toThrowError(
      expect.objectContaining({ details: { field: 'second', offset: 2, needed: 2, remaining: 1 } }),
    );
    expect(() => reader.take(-1, 'negative')).toThrowError(coded('wire.truncated'));
    expect(() => reader.take(Number.NaN, 'nan')).toThrowError(coded('wire.truncated'));
    expect(() => reader.end('record')).toThrowError(coded('wire.trailing_bytes'));
  });
});

describe('strict JSON', () => {
  it.each(['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[{"x":{"k":1, "k" :2}}]', '{"a":{"b":1},"a":{}}'])(
    'refuses a doubled key in %s',
    (text) => {
      expect(() => parseStrictJson(text)).toThrowError(coded('wire.duplicate'));
    },
  );

  it('accepts equal keys in different objects and strings that look like keys', () => {
    const text = '{"a":{"a":"a\\":"},"b":["a","a",{"a":1},{"a":2}]}';
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
  });

  it('accepts whatever JSON.stringify makes, and canonical text is stable', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.integer(), fc.string(), fc.boolean())), (value) => {
        expect(parseStrictJson(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)));
        const canonical = encodeCanonicalJson(value);
        expect(encodeCanonicalJson(JSON.parse(canonical))).toBe(canonical);
      }),
    );
  });

  it('refuses nesting that would exhaust the stack', () => {
    expect(() => parseStrictJson('['.repeat(65) + ']'.repeat(65))).toThrowError(coded('wire.too_large'));
  });
});

describe('device JSON', () => {
  it('takes a trailing NUL and an empty payload as stock clients send them', () => {
    expect(parseDeviceJson(new TextEncoder().encode('{"a":1}\u0000'))).toEqual({ a: 1 });
    expect(parseDeviceJson(new Uint8Array(0))).toEqual({});
    expect(() => parseDeviceJson(new TextEncoder().encode('[1]'))).toThrowError(coded('wire.malformed'));
  });
});

describe('ManualClock', () => {
  it('fires timers in order of time and lets the wall clock jump alone', () => {
    const clock = new ManualClock(1_000);
    const fired: string[] = [];
    clock.after(20, () => fired.push(`after@${clock.now()}`));
    const ticking = clock.every(15, () => fired.push(`tick@${clock.now()}`));
    clock.advance(31);
    ticking.cancel();
    clock.advance(100);
    clock.jump(-500);
    expect(fired).toEqual(['tick@1015', 'after@1020', 'tick@1030']);
    expect(clock.now()).toBe(631);
    expect(clock.monotonicMs()).toBe(131);
  });
});

describe('machines', () => {
  const door = defineMachine({ name: 'door', initial: 'closed', transitions: { closed: { open: 'open' }, open: {} } });

  it('step through the table and refuse what it does not list', () => {
    expect(door.step('closed', 'open')).toBe('open');
    expect(door.isTerminal('open')).toBe(true);
    expect(() => door.step('open', 'open')).toThrowError(coded('kernel.invalid_transition'));
  });
});

describe('HoldfastError', () => {
  it('is recognised by code and carries its row', () => {
    const error = new HoldfastError('wire.truncated', { offset: 3 });
    expect(HoldfastError.is(error, 'wire.truncated')).toBe(true);
    expect(HoldfastError.is(error, 'wire.malformed')).toBe(false);
    expect(error.spec.exit).toBe(65);
  });
});
