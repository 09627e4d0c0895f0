import { ByteReader, ByteWriter, equalBytes } from '@holdfast/kernel';
import { sha256 } from '../primitives/hash.ts';

/** How a chip keeps the counter that a rollback would have to lower. */
export type CounterSpec =
  /** One-time bits, one a step: a half-done burn is a smaller raise and never a wrong number. */
  | { readonly kind: 'unary'; readonly bits: number }
  /** One-time half-words, each with the next value; the highest counts. As many raises as there are slots. */
  | { readonly kind: 'slots'; readonly slots: number; readonly ceiling: number }
  /** Two pages that take turns, each with a version, the value and a digest; the newest whole one counts. */
  | { readonly kind: 'pages'; readonly ceiling: number };

/** One operation on the counter's cells. */
export interface CounterStep {
  readonly kind: 'burn' | 'page';
  /** Byte in the counter's area. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

const WORD = 4;
const PAGE = 40;

/** Bytes the counter takes, whole words. */
export function counterBytes(spec: CounterSpec): number {
  if (spec.kind === 'pages') return 2 * PAGE;
  return Math.ceil(spec.kind === 'unary' ? spec.bits / 32 : spec.slots / 2) * WORD;
}

export function readCounter(spec: CounterSpec, cells: Uint8Array): number {
  if (spec.kind === 'unary') return bitsSet(cells);
  if (spec.kind === 'slots') return Math.max(...slotValues(cells));
  return newestPage(cells)?.value ?? 0;
}

/**
 * The next operation that brings the counter towards `value`.
 *
 * @returns undefined when the cells cannot hold it
 */
export function nextCounterStep(spec: CounterSpec, cells: Uint8Array, value: number): CounterStep | undefined {
  if (spec.kind === 'unary') return value > spec.bits ? undefined : unaryStep(cells);
  if (value > spec.ceiling) return undefined;
  return spec.kind === 'slots' ? slotStep(cells, value) : pageStep(cells, value);
}

function unaryStep(cells: Uint8Array): CounterStep | undefined {
  const index = cells.findIndex((each) => each !== 0xff);
  if (index < 0) return undefined;
  const at = index - (index % WORD);
  const bytes = cells.slice(at, at + WORD);
  const byte = bytes[index - at] ?? 0;
  bytes[index - at] = byte | (byte + 1);
  return { kind: 'burn', at, bytes };
}

/** @see sdk-nrf subsys/bootloader/bl_storage: values are stored inverted, so a half-written one is a lower one */
function slotStep(cells: Uint8Array, value: number): CounterStep | undefined {
  const slot = slotValues(cells).indexOf(0);
  if (slot < 0) return undefined;
  const at = 2 * (slot - (slot % 2));
  const bytes = new Uint8Array(WORD);
  new DataView(bytes.buffer).setUint16(2 * (slot % 2), value, true);
  return { kind: 'burn', at, bytes };
}

function slotValues(cells: Uint8Array): readonly number[] {
  const view = new DataView(cells.buffer, cells.byteOffset, cells.length);
  return Array.from({ length: cells.length / 2 }, (_, slot) => view.getUint16(2 * slot, true));
}

/** @see NXP UM11126, CFPA scratch, ping and pong pages: the version only grows */
function pageStep(cells: Uint8Array, value: number): CounterStep {
  const newest = newestPage(cells);
  const body = new ByteWriter(8)
    .u32le((newest?.version ?? 0) + 1)
    .u32le(value)
    .finish();
  const bytes = new ByteWriter(PAGE).bytes(body).bytes(sha256(body)).finish();
  return { kind: 'page', at: newest?.at === 0 ? PAGE : 0, bytes };
}

interface Page {
  readonly at: number;
  readonly version: number;
  readonly value: number;
}

function newestPage(cells: Uint8Array): Page | undefined {
  const pages = [0, PAGE].flatMap((at): readonly Page[] => {
    const reader = new ByteReader(cells.subarray(at, at + PAGE));
    const [version, value] = [reader.u32le('version'), reader.u32le('value')];
    const isWhole = equalBytes(sha256(cells.subarray(at, at + 8)), reader.take(32, 'digest'));
    return isWhole ? [{ at, version, value }] : [];
  });
  return pages.sort((a, b) => b.version - a.version)[0];
}

export function bitsSet(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
}

/** The highest value the counter can ever hold. */
export function counterCeiling(spec: CounterSpec): number {
  return spec.kind === 'unary' ? spec.bits : spec.ceiling;
}
