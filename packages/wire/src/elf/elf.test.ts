import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeElfImage, isElf } from './index.ts';

const vector = (name: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(readFileSync(new URL(`../../vectors/elf/${name}`, import.meta.url)));
const linked = vector('app.elf');
const coded = (code: string) => expect.objectContaining({ code });

/** The file with numbers of its header or of the first program header changed. */
function changed(...changes: readonly (readonly [at: number, value: number, width: 1 | 2 | 4])[]): Uint8Array {
  const copy = linked.slice();
  const view = new DataView(copy.buffer);
  for (const [at, value, width] of changes) {
    if (width === 1) view.setUint8(at, value);
    else if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
  }
  return copy;
}

const PROGRAM = 52;
const SECTION = new DataView(linked.buffer).getUint32(32, true);

describe('a linked program', () => {
  it('becomes the bytes that objcopy makes of it, without the headers its first segment holds', () => {
    const { bytes, address, entry } = decodeElfImage(linked);
    expect(bytes).toEqual(vector('app.bin'));
    expect(address).toBe(0x0800c200);
    expect(entry - (entry & 1)).toBe(0x0800c240);
    expect(isElf(linked)).toBe(true);
    expect(isElf(vector('app.bin'))).toBe(false);
  });

  it('fills gaps as told', () => {
    const gap = decodeElfImage(linked, { filling: 0 }).bytes.subarray(16, 64);
    expect(gap).toEqual(new Uint8Array(48));
  });

  it('is taken by its segments alone when it has no sections', () => {
    const { bytes, address } = decodeElfImage(changed([32, 0, 4], [48, 0, 2]));
    expect(address).toBe(0x0800c000);
    // The linker's own filling stands between the sections.
    const image = vector('app.bin').fill(0, 16, 64);
    expect(bytes.subarray(0x200)).toEqual(image);
  });

  it.each<[string, Uint8Array, string]>([
    ['another magic', changed([0, 0x7e, 1]), 'boot.bad_magic'],
    ['64 bits', changed([4, 2, 1]), 'wire.unsupported'],
    ['big endian', changed([5, 2, 1]), 'wire.unsupported'],
    ['an object that is not linked', changed([16, 1, 2]), 'wire.unsupported'],
    ['a shared object', changed([16, 3, 2]), 'wire.unsupported'],
    ['program headers of another size', changed([42, 56, 2]), 'wire.malformed'],
    ['program headers behind the file', changed([28, 0x7fffffff, 4]), 'wire.truncated'],
    ['too many sections', changed([48, 0xffff, 2]), 'wire.too_large'],
    ['a segment behind the file', changed([PROGRAM + 16, 0x10000000, 4]), 'wire.truncated'],
    ['a segment that wraps', changed([PROGRAM + 12, 0xffffff00, 4]), 'wire.malformed'],
    ['more bytes than memory', changed([PROGRAM + 20, 1, 4]), 'wire.malformed'],
    ['segments far apart', changed([PROGRAM + 12, 0x70000000, 4]), 'wire.too_large'],
    ['one load over another', changed([PROGRAM + 32 + 12, 0x0800c200, 4]), 'wire.malformed'],
    ['a section in no segment', changed([SECTION + 40 + 20, 0x100000, 4]), 'wire.malformed'],
    ['nothing to load', changed([44, 0, 2], [48, 0, 2]), 'wire.malformed'],
  ])('is refused with %s', (_name, bytes, code) => {
    expect(() => decodeElfImage(bytes)).toThrowError(coded(code));
  });

  it('is refused or taken as a whole at every cut, whatever the bytes', () => {
    const total = (bytes: Uint8Array): void => {
      try {
        decodeElfImage(bytes, { limit: 1 << 20 });
      } catch (error) {
        expect(HoldfastError.is(error)).toBe(true);
      }
    };
    for (let length = 0; length < linked.length; length++) total(linked.subarray(0, length));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), total));
    fc.assert(
      fc.property(fc.nat(linked.length - 9), fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, bytes) => {
        const copy = linked.slice();
        copy.set(bytes, at);
        total(copy);
      }),
      { numRuns: 500 },
    );
  });
});
