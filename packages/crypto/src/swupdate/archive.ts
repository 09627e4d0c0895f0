import { HoldfastError } from '@holdfast/kernel';
import {
  CPIO_END,
  CPIO_HEADER,
  cpioFilling,
  type CpioKind,
  cpioSum,
  decodeCpioHeader,
  decodeCpioName,
} from '@holdfast/wire/swupdate';
import type { Reading } from '../primitives/byte-source.ts';
import { createDigest } from '../primitives/hash.ts';

/** Where a file of an archive lies. */
export interface ArchivedFile {
  readonly name: string;
  readonly kind: CpioKind;
  readonly sum: number;
  /** Of the header, the data, and what follows the filling. */
  readonly start: number;
  readonly data: number;
  readonly size: number;
  readonly end: number;
}

const CHUNK = 1 << 19;
/** cpio fills an archive to a whole number of these. */
export const CPIO_BLOCK = 512;
const ENTRY_LIMIT = 258;

/**
 * Reads the header of the file at an offset.
 *
 * @returns undefined for the end of the archive, after which only zeros may follow to a whole block.
 * @throws `wire.truncated`, `boot.trailing_bytes`, and the header's errors
 */
function* readEntry(start: number, size: number): Reading<ArchivedFile | undefined> {
  if (start + CPIO_HEADER > size) throw new HoldfastError('wire.truncated', { field: 'cpio header', offset: start });
  const header = decodeCpioHeader(yield { offset: start, length: CPIO_HEADER }, start);
  const nameAt = start + CPIO_HEADER;
  const data = nameAt + header.nameSize + cpioFilling(CPIO_HEADER + header.nameSize);
  const end = data + header.size + cpioFilling(header.size);
  if (end > size)
    throw new HoldfastError('wire.truncated', { field: 'cpio file', offset: start, needed: end, remaining: size });
  const name = decodeCpioName(yield { offset: nameAt, length: header.nameSize }, nameAt);
  yield* readZeros(nameAt + header.nameSize, data);
  if (name !== CPIO_END) return { name, kind: header.kind, sum: header.sum, start, data, size: header.size, end };
  const blocks = Math.ceil(data / CPIO_BLOCK) * CPIO_BLOCK;
  if (header.size !== 0 || header.sum !== 0 || (size !== data && size !== blocks))
    throw new HoldfastError('boot.trailing_bytes', { offset: data });
  yield* readZeros(data, size);
  return undefined;
}

/** Every file of an archive in its order. @throws as {@link readEntry}; `wire.duplicate`, `wire.too_large` */
export function* readEntries(size: number): Reading<readonly ArchivedFile[]> {
  const entries: ArchivedFile[] = [];
  let at = 0;
  for (;;) {
    const entry = yield* readEntry(at, size);
    if (entry === undefined) return entries;
    if (entries.some(({ name }) => name === entry.name))
      throw new HoldfastError('wire.duplicate', { field: 'cpio name', offset: at });
    if (entries.length === ENTRY_LIMIT)
      throw new HoldfastError('wire.too_large', { field: 'cpio files', limit: ENTRY_LIMIT });
    if (entries.some(({ kind }) => kind !== entry.kind))
      throw new HoldfastError('wire.malformed', { field: 'cpio kind', offset: at });
    entries.push(entry);
    at = entry.end;
  }
}

/** The SHA-256 of a file, read piece by piece. @throws `boot.checksum_mismatch` when it has another sum than its header says */
export function* hashEntry({ data, size, end, kind, sum }: ArchivedFile): Reading<Uint8Array> {
  const digest = createDigest('sha256');
  let total = 0;
  for (let at = 0; at < size; at += CHUNK) {
    const chunk = yield { offset: data + at, length: Math.min(CHUNK, size - at) };
    digest.update(chunk);
    if (kind === 'crc') total = cpioSum(chunk, total);
  }
  yield* readZeros(data + size, end);
  if (total !== sum) throw new HoldfastError('boot.checksum_mismatch', { field: 'cpio file', offset: data });
  return digest.finish();
}

function* readZeros(from: number, to: number): Reading<void> {
  if (from === to) return;
  const filling = yield { offset: from, length: to - from };
  if (filling.some((byte) => byte !== 0)) throw new HoldfastError('boot.trailing_bytes', { offset: from });
}
