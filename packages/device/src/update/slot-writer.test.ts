import { createHash } from 'node:crypto';
import { HoldfastError, seededRandom } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../store/device-store.ts';
import { BOARDS, type BoardName, type PowerSupply, type UpdateSlot, VirtualChip } from '@holdfast/crypto/virtual-chip';
import { BlockMap } from './block-map.ts';
import { SlotWriter } from './slot-writer.ts';

const SIZE = 50_000;
const FILE = seededRandom(5).bytes(SIZE);
const IMAGE = { sha256: new Uint8Array(createHash('sha256').update(FILE).digest()), size: SIZE };
const BLOCK = 4096;

function device(board: BoardName): { slot: UpdateSlot; supply: PowerSupply } {
  return new VirtualChip(BOARDS[board], () => ({ kind: 'refused', code: 'boot.bad_magic' }));
}

const blockOf = (index: number): Uint8Array => FILE.subarray(index * BLOCK, Math.min((index + 1) * BLOCK, SIZE));

function fill(writer: SlotWriter): void {
  for (let index = writer.blocks.count - 1; index >= 0; index--)
    if (!writer.blocks.has(index)) writer.put(index, blockOf(index));
}

describe('a block map', () => {
  it('knows what is missing, from the first gap on, as a bitmap', () => {
    const map = new BlockMap(SIZE, BLOCK);
    expect([map.count, map.lengthOf(12)]).toEqual([13, SIZE - 12 * BLOCK]);
    map.mark(0);
    map.mark(2);
    expect(map.missing(5)).toEqual({ first: 1, span: 5, bitmap: Uint8Array.of(0b11101) });
    expect(map.missing(100)?.span).toBe(12);
    for (let block = 0; block < 13; block++) map.mark(block);
    expect([map.missing(5), map.isComplete, map.received]).toEqual([undefined, true, SIZE]);
  });

  it('survives being saved with any blocks in it', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(12)), (blocks) => {
        const map = new BlockMap(SIZE, BLOCK);
        for (const block of blocks) map.mark(block);
        const again = BlockMap.restore(SIZE, BLOCK, map.save());
        expect(Array.from({ length: 13 }, (_, block) => again.has(block))).toEqual(
          Array.from({ length: 13 }, (_, block) => blocks.includes(block)),
        );
      }),
      { numRuns: 50 },
    );
    expect(() => BlockMap.restore(SIZE * 9, BLOCK, new BlockMap(SIZE, BLOCK).save())).toThrow(HoldfastError);
  });
});

describe.each(['nrf52840', 'stm32l4', 'stm32f4'] as const)('the slot writer on %s', (board) => {
  it('holds the file whatever the order of its blocks, and each only once', () => {
    const writer = new SlotWriter(device(board).slot, new MemoryStore(), IMAGE, BLOCK);
    writer.put(3, blockOf(3));
    writer.put(3, blockOf(3));
    fill(writer);
    expect(writer.blocks.isComplete).toBe(true);
    expect(writer.digest()).toEqual(IMAGE.sha256);
  });

  it('refuses a block that is short, long or beyond the end', () => {
    const writer = new SlotWriter(device(board).slot, new MemoryStore(), IMAGE, BLOCK);
    for (const [index, bytes] of [
      [0, blockOf(0).subarray(1)],
      [12, blockOf(0)],
      [13, blockOf(0)],
    ] as const) {
      expect(() => writer.put(index, bytes)).toThrow(expect.objectContaining({ code: 'device.download_failed' }));
    }
  });

  it('notices a word that the flash did not take', () => {
    const { slot, supply } = device(board);
    const writer = new SlotWriter(slot, new MemoryStore(), IMAGE, BLOCK);
    supply.setPlan([{ kind: 'torn-word', operation: 1, seed: 3 }]);
    expect(() => writer.put(0, blockOf(0))).toThrow(expect.objectContaining({ code: 'device.flash_failed' }));
  });

  it('ends with the right bytes after a power cut at every operation, with what was saved or what was not', () => {
    for (let operation = 1; operation < 45; operation += 2) {
      const { slot, supply } = device(board);
      const store = new MemoryStore();
      supply.setPlan([{ kind: 'power-cut', operation, when: 'during', seed: operation }]);
      try {
        fill(new SlotWriter(slot, store, IMAGE, BLOCK));
      } catch (error) {
        expect(error).toMatchObject({ code: 'device.power_cut' });
      }
      supply.restore();
      supply.setPlan([]);
      const writer = new SlotWriter(slot, store, IMAGE, BLOCK);
      fill(writer);
      expect(writer.digest(), `operation ${operation}`).toEqual(IMAGE.sha256);
    }
  });

  it('starts over for another image', () => {
    const { slot } = device(board);
    const store = new MemoryStore();
    fill(new SlotWriter(slot, store, IMAGE, BLOCK));
    expect(new SlotWriter(slot, store, IMAGE, BLOCK).blocks.isComplete).toBe(true);
    expect(new SlotWriter(slot, store, { ...IMAGE, sha256: new Uint8Array(32) }, BLOCK).blocks.received).toBe(0);
  });
});
