import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeNvsPartition,
  encodeNvsKeys,
  encodeNvsPartition,
  NVS_MIN_LENGTH,
  type NvsItem,
  readNvsKeys,
} from './index.ts';

const FOLDER = new URL('../../vectors/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const text = (name: string): string => Buffer.from(vector(`esp-secure-cert/${name}`)).toString();
const coded = (code: string) => expect.objectContaining({ code });
const CHAIN = text('cert.pem') + text('ca.pem') + text('cert.pem');
const FACTORY: readonly NvsItem[] = [
  { namespace: 'holdfast', key: 'serial', kind: 'string', value: 'lamp-0001' },
  { namespace: 'holdfast', key: 'level', kind: 'u8', value: 7 },
  { namespace: 'holdfast', key: 'port', kind: 'u16', value: 8883 },
  { namespace: 'holdfast', key: 'count', kind: 'u32', value: 4_000_000_000 },
  { namespace: 'esp_secure_cert', key: 'ca_cert', kind: 'string', value: text('ca.pem') },
  { namespace: 'esp_secure_cert', key: 'dev_cert', kind: 'string', value: CHAIN },
  { namespace: 'esp_secure_cert', key: 'priv_key', kind: 'string', value: text('sec1.pem') },
  { namespace: 'esp_secure_cert', key: 'more', kind: 'string', value: CHAIN },
  { namespace: 'esp_secure_cert', key: 'extra', kind: 'string', value: text('ca.pem') },
  {
    namespace: 'esp_secure_cert',
    key: 'blob',
    kind: 'blob',
    value: Uint8Array.from({ length: 9000 }, (_, at) => (at * 7 + 3) & 255),
  },
];
const WHOLE = vector('esp32/nvs-factory.bin');
const plain = (items: readonly NvsItem[]) =>
  items.map((item) =>
    item.kind === 'blob' ? { ...item, value: createHash('sha256').update(item.value).digest('hex') } : item,
  );

describe('an NVS partition', () => {
  it('has the bytes of ESP-IDF’s generator, over several pages', () => {
    expect(encodeHex(encodeNvsPartition(FACTORY, WHOLE.length))).toBe(encodeHex(WHOLE));
    expect(plain(decodeNvsPartition(WHOLE))).toEqual(plain(FACTORY));
  });

  it('reads another partition of the generator and writes the same bytes', () => {
    const other = vector('esp32/nvs-plain.bin');
    expect(encodeHex(encodeNvsPartition(decodeNvsPartition(other), other.length))).toBe(encodeHex(other));
  });

  const item = fc.record({
    namespace: fc.constantFrom('first', 'second'),
    key: fc.stringMatching(/^[a-z]{1,15}$/),
  });
  const value = fc.oneof(
    fc.record({ kind: fc.constant('u8' as const), value: fc.nat({ max: 255 }) }),
    fc.record({ kind: fc.constant('u32' as const), value: fc.nat({ max: 0xffffffff }) }),
    fc.record({ kind: fc.constant('string' as const), value: fc.stringMatching(/^[ -~]{0,400}$/) }),
    fc.record({ kind: fc.constant('blob' as const), value: fc.uint8Array({ maxLength: 5000 }) }),
  );

  it('reads back what it wrote', () => {
    const items = fc.uniqueArray(
      fc.tuple(item, value).map(([place, held]): NvsItem => ({ ...place, ...held })),
      { maxLength: 12, selector: ({ namespace, key }) => `${namespace} ${key}` },
    );
    fc.assert(
      fc.property(items, (given) => {
        expect(plain(decodeNvsPartition(encodeNvsPartition(given, 40 * 4096)))).toEqual(plain(given));
      }),
      { numRuns: 40 },
    );
  });

  it('refuses every partition that ends inside a page', () => {
    for (let length = 1; length < 4096; length += 37) {
      expect(() => decodeNvsPartition(WHOLE.subarray(0, length))).toThrowError(coded('wire.malformed'));
    }
    expect(() => decodeNvsPartition(WHOLE.subarray(0, 3 * 4096))).toThrowError(coded('wire.truncated'));
  });

  it('answers a partition with a changed byte with the same items or a coded error', () => {
    const expected = plain(FACTORY);
    fc.assert(
      fc.property(fc.nat({ max: WHOLE.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const altered = Uint8Array.from(WHOLE);
        altered[at] = (altered[at] ?? 0) ^ mask;
        try {
          expect(plain(decodeNvsPartition(altered))).toEqual(expected);
        } catch (error) {
          if (!HoldfastError.is(error)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('answers any page with a coded error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (head) => {
        const page = new Uint8Array(4096);
        page.set(head);
        expect(() => decodeNvsPartition(page)).toThrowError(HoldfastError);
      }),
    );
  });

  const one: NvsItem = { namespace: 'a', key: 'b', kind: 'u8', value: 1 };
  it.each<[string, readonly NvsItem[], number, string]>([
    ['two pages', [one], 2 * 4096, 'wire.malformed'],
    ['a part of a page', [one], NVS_MIN_LENGTH + 1, 'wire.malformed'],
    ['one key twice', [one, one], NVS_MIN_LENGTH, 'wire.duplicate'],
    ['a key of 16 letters', [{ ...one, key: 'abcdefghijklmnop' }], NVS_MIN_LENGTH, 'wire.malformed'],
    ['no key', [{ ...one, key: '' }], NVS_MIN_LENGTH, 'wire.malformed'],
    ['a number over its width', [{ ...one, value: 256 }], NVS_MIN_LENGTH, 'wire.malformed'],
    ['half a number', [{ ...one, value: 0.5 }], NVS_MIN_LENGTH, 'wire.malformed'],
    ['a NUL within a text', [{ ...one, kind: 'string', value: 'a\0b' }], NVS_MIN_LENGTH, 'wire.malformed'],
    ['a text over a page', [{ ...one, kind: 'string', value: 'a'.repeat(3968) }], NVS_MIN_LENGTH, 'wire.too_large'],
    ['more than fits', [{ ...one, kind: 'blob', value: new Uint8Array(8000) }], NVS_MIN_LENGTH, 'wire.too_large'],
  ])('is not written with %s', (_name, items, length, code) => {
    expect(() => encodeNvsPartition(items, length)).toThrowError(coded(code));
  });

  it('keeps a longest text in one page', () => {
    const longest: NvsItem = { ...one, kind: 'string', value: 'a'.repeat(3967) };
    expect(decodeNvsPartition(encodeNvsPartition([longest], NVS_MIN_LENGTH))).toEqual([longest]);
  });
});

describe('an NVS key partition', () => {
  it('is the one of ESP-IDF’s generator for the same keys', () => {
    const whole = vector('esp32/nvs-keys.bin');
    expect(encodeHex(encodeNvsKeys(readNvsKeys(whole)))).toBe(encodeHex(whole));
    expect(() => encodeNvsKeys(new Uint8Array(63))).toThrowError(coded('wire.malformed'));
  });
});
