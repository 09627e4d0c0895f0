import { describe, expect, it } from 'vitest';
import type { BootEvent } from './strategy.ts';
import { bootVersion, testBoard } from './testing/boards.ts';
import { makeTestKey, signTestImage } from './testing/images.ts';
import type { VirtualChip } from './virtual-chip.ts';

const key = makeTestKey();
const OLD = signTestImage(key, { version: '1.0.0', counter: 1, size: 700 });
const NEW = signTestImage(key, { version: '2.0.0', counter: 3, size: 500 });

function boardWith(image: Uint8Array, name: 'tiny-move' | 'tiny-scratch'): VirtualChip {
  const board = testBoard(name, key);
  board.provision(image);
  expect(bootVersion(board)).toBe('1.0.0');
  return board;
}

describe.each(['tiny-move', 'tiny-scratch'] as const)('the bootloader on %s', (name) => {
  it('boots a new image on trial and reverts when nobody confirms it', () => {
    const board = boardWith(OLD, name);
    board.stage(NEW);
    expect(bootVersion(board)).toBe('2.0.0?');
    expect(bootVersion(board)).toBe('1.0.0');
    expect(bootVersion(board)).toBe('1.0.0');
  });

  it('keeps a confirmed image and only then raises the counter', () => {
    const board = boardWith(OLD, name);
    board.stage(NEW);
    expect(bootVersion(board)).toBe('2.0.0?');
    expect(board.fuses.securityCounter).toBe(1);
    board.slot.confirm();
    expect(board.fuses.securityCounter).toBe(1);
    expect(bootVersion(board)).toBe('2.0.0');
    expect(board.fuses.securityCounter).toBe(3);
  });

  it('refuses a lower counter afterwards and keeps what runs', () => {
    const board = boardWith(OLD, name);
    board.stage(NEW);
    board.boot();
    board.slot.confirm();
    board.boot();
    board.stage(OLD);
    const events: BootEvent[] = [];
    expect(bootVersion(board, events)).toBe('2.0.0');
    expect(events.at(-1)).toEqual({ kind: 'image-refused', slot: 'secondary', code: 'boot.counter_too_low' });
    expect(board.fuses.securityCounter).toBe(3);
  });

  it('takes an equal counter', () => {
    const board = boardWith(OLD, name);
    board.stage(signTestImage(key, { version: '1.0.1', counter: 1 }));
    expect(bootVersion(board)).toBe('1.0.1?');
  });

  it('copies nothing but the image: bytes behind it in its slot do not reach the other', () => {
    const board = boardWith(OLD, name);
    const tail = new Uint8Array(64).fill(0x41);
    board.slot.prepare(NEW.length + 8 + tail.length);
    board.slot.write(0, NEW);
    board.slot.write(Math.ceil(NEW.length / 8) * 8, tail);
    board.slot.requestTest();
    expect(bootVersion(board)).toBe('2.0.0?');
    const { primary, capacity } = board.plan;
    const rest = board.flash.read(primary.address + Math.ceil(NEW.length / 8) * 8, capacity - NEW.length - 8);
    expect(rest.every((byte) => byte === 0xff)).toBe(true);
  });

  it.each<[string, Uint8Array, string]>([
    ['unsigned by a key it knows', signTestImage(makeTestKey(), { version: '2.0.0', counter: 3 }), 'boot.unknown_key'],
    ['without signature', NEW.subarray(0, NEW.length - 80), 'wire.truncated'],
    ['with one payload bit flipped', flipped(NEW, 100), 'boot.hash_mismatch'],
    ['with one signature bit flipped', flipped(NEW, NEW.length - 6), 'boot.bad_signature'],
    [
      'with a counter no fuse can hold',
      signTestImage(key, { version: '2.0.0', counter: 257 }),
      'device.counter_too_high',
    ],
    ['that is no image', new Uint8Array(200).fill(0x55), 'boot.bad_magic'],
  ])('erases an image %s and boots the old one', (_name, image, code) => {
    const board = boardWith(OLD, name);
    board.stage(image);
    const events: BootEvent[] = [];
    expect(bootVersion(board, events)).toBe('1.0.0');
    expect(events).toContainEqual({ kind: 'image-refused', slot: 'secondary', code });
    expect(board.slot.read(0, 32).every((byte) => byte === 0xff)).toBe(true);
    expect(bootVersion(board)).toBe('1.0.0');
  });

  it('boots nothing when both slots are bad', () => {
    const board = testBoard(name, key);
    board.provision(flipped(OLD, 40));
    expect(bootVersion(board)).toBe('boot.hash_mismatch');
  });

  it('falls back to the other slot when the confirmed image rots', () => {
    const board = boardWith(OLD, name);
    board.stage(signTestImage(key, { version: '1.1.0', counter: 1 }));
    board.boot();
    board.slot.confirm();
    expect(bootVersion(board)).toBe('1.1.0');
    const address = board.plan.primary.address + 60;
    board.under([{ kind: 'bit-rot', operation: 1, address, bit: 3 }], () => board.slot.prepare(0));
    expect(bootVersion(board)).toBe('1.0.0');
    expect(bootVersion(board)).toBe('1.0.0');
  });

  it('never runs an image after any one bit of it flipped', () => {
    const board = boardWith(OLD, name);
    const state = board.save();
    for (let at = 0; at < OLD.length; at += 7) {
      board.load(state);
      board.flash.restoreSnapshot(flipped(state.flash, board.plan.primary.address + at));
      expect(board.boot().kind, `byte ${at}`).toBe('safe-mode');
    }
  });
});

function flipped(image: Uint8Array, at: number): Uint8Array {
  const copy = image.slice();
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
}
