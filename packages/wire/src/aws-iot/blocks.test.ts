import { encodeUtf8 } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BlockRequest, decodeAwsPayload, readStreamGet, selectBlocks } from './index.ts';

const base: BlockRequest = { fileBytes: 20_000, blockBytes: 4096, offset: 0, count: undefined, bitmap: undefined };

function indexes(change: Partial<BlockRequest>): readonly number[] | string {
  const selection = selectBlocks({ ...base, ...change });
  return selection.kind === 'refused' ? selection.code : selection.blocks.map((block) => block.index);
}

describe('the blocks of a stream request', () => {
  it.each<[string, Partial<BlockRequest>, readonly number[] | string]>([
    ['the whole small file without count and bitmap', {}, [0, 1, 2, 3, 4]],
    ['the first blocks by count', { count: 2 }, [0, 1]],
    ['from the offset', { offset: 3, count: 9 }, [3, 4]],
    ['nothing for a count of 0', { count: 0 }, []],
    ['by bitmap, least significant bit first', { bitmap: Uint8Array.of(0b0001_0101) }, [0, 2, 4]],
    ['by bitmap from the offset', { offset: 1, bitmap: Uint8Array.of(0b0000_0101) }, [1, 3]],
    ['by the second byte of the bitmap', { fileBytes: 50_000, bitmap: Uint8Array.of(0, 0b11) }, [8, 9]],
    ['as the classic agent asks for 5 blocks', { bitmap: Uint8Array.of(0x1f), count: 8 }, [0, 1, 2, 3, 4]],
    ['by bitmap, at most count', { bitmap: Uint8Array.of(0xff), count: 2 }, [0, 1]],
    ['not past the end of the file', { bitmap: Uint8Array.of(0xff, 0xff) }, [0, 1, 2, 3, 4]],
    ['nothing past the bitmap', { fileBytes: 90_000, bitmap: Uint8Array.of(0) }, []],
    ['at most 128 KiB at once', { fileBytes: 1_000_000, blockBytes: 65_536, count: 50 }, [0, 1]],
    ['one block of the largest size', { fileBytes: 1_000_000, blockBytes: 131_072 }, [0]],
    ['a block of 256', { blockBytes: 256, count: 1 }, [0]],
    ['a block of 255', { blockBytes: 255 }, 'BlockSizeOutOfBounds'],
    ['a block of 131,073', { blockBytes: 131_073 }, 'BlockSizeOutOfBounds'],
    ['an offset at the end', { offset: 5 }, 'OffsetOutOfBounds'],
    ['an offset over the limit', { fileBytes: 2 ** 31, blockBytes: 256, offset: 98_305 }, 'OffsetOutOfBounds'],
    ['a count over the limit', { count: 98_305 }, 'BlockCountLimitExceeded'],
    ['a bitmap of 12,288 bytes', { bitmap: new Uint8Array(12_288) }, 'BlockBitmapLimitExceeded'],
    ['an empty file', { fileBytes: 0 }, 'OffsetOutOfBounds'],
  ])('are %s', (_title, change, expected) => {
    expect(indexes(change)).toEqual(expected);
  });

  it('ends with a short block', () => {
    const selection = selectBlocks({ ...base, offset: 4 });
    expect(selection).toEqual({ kind: 'blocks', blocks: [{ index: 4, start: 16_384, end: 20_000 }] });
  });

  it('lie inside the file, rise, and stay within 128 KiB, whatever is asked', () => {
    const request = fc.record({
      fileBytes: fc.nat(2_000_000),
      blockBytes: fc.nat(140_000),
      offset: fc.nat(9000),
      count: fc.option(fc.nat(100_000), { nil: undefined }),
      bitmap: fc.option(fc.uint8Array({ maxLength: 64 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(request, (each) => {
        const selection = selectBlocks(each);
        if (selection.kind === 'refused') return;
        let last = each.offset - 1;
        let total = 0;
        for (const block of selection.blocks) {
          expect(block.index).toBeGreaterThan(last);
          expect(block.end).toBeLessThanOrEqual(each.fileBytes);
          total += block.end - block.start;
          last = block.index;
        }
        expect(total).toBeLessThanOrEqual(131_072);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the bitmap of a stream request', () => {
  const read = (json: string) => readStreamGet(decodeAwsPayload('json', encodeUtf8(json))).b;

  it('is hex in JSON, with or without 0x', () => {
    expect(read('{"f":0,"l":256,"b":"0x130080"}')).toEqual(Uint8Array.of(0x13, 0, 0x80));
    expect(read('{"f":0,"l":256,"b":"130080"}')).toEqual(Uint8Array.of(0x13, 0, 0x80));
  });

  it('keeps its own error code when it is too long', () => {
    const b = read(`{"f":0,"l":256,"b":"${'ff'.repeat(20_000)}"}`);
    expect(indexes({ bitmap: b })).toBe('BlockBitmapLimitExceeded');
  });
});
