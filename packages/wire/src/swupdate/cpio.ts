import { ByteWriter, encodeUtf8, HoldfastError } from '@holdfast/kernel';

/** The kinds of archive SWUpdate reads: without and with a sum over each file. */
export type CpioKind = 'newc' | 'crc';

/** One file of an archive. */
export interface CpioHeader {
  readonly kind: CpioKind;
  /** Bytes of the file. */
  readonly size: number;
  /** Bytes of the name with its NUL. */
  readonly nameSize: number;
  /** Sum of the bytes of the file modulo 2^32; zero in `newc`. */
  readonly sum: number;
}

export const CPIO_HEADER = 110;
export const CPIO_END = 'TRAILER!!!';
const MAX_CPIO_NAME = 256;
const MAGICS: Readonly<Record<string, CpioKind>> = { '070701': 'newc', '070702': 'crc' };
const FIELDS = [
  'ino',
  'mode',
  'nlink',
  'uid',
  'gid',
  'mtime',
  'size',
  'devmajor',
  'devminor',
  'rdevmajor',
  'rdevminor',
  'nameSize',
  'sum',
] as const;
const DIGITS = /^(?:[0-9A-F]{8}|[0-9a-f]{8})$/;
const PERMISSIONS = 0o7777;
const REGULAR = 0o100000;
/** No folder, no hidden file. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9 ._+-]{0,200}$/;

/**
 * Decodes the header of one file.
 *
 * @param bytes - {@link CPIO_HEADER} bytes.
 * @param offset - where it stands, for the errors.
 * @throws `wire.truncated`, `boot.bad_magic`, `wire.malformed`, `wire.unsupported` for anything but a regular file
 * @see cpio(5), New ASCII Format; New CRC Format
 */
export function decodeCpioHeader(bytes: Uint8Array, offset: number): CpioHeader {
  if (bytes.length < CPIO_HEADER) throw new HoldfastError('wire.truncated', { field: 'cpio header', offset });
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, CPIO_HEADER));
  const kind = Object.hasOwn(MAGICS, text.slice(0, 6)) ? MAGICS[text.slice(0, 6)] : undefined;
  if (kind === undefined) throw new HoldfastError('boot.bad_magic', { field: 'cpio', offset });
  const values = new Map<string, number>();
  for (const [index, field] of FIELDS.entries()) {
    const digits = text.slice(6 + index * 8, 14 + index * 8);
    if (!DIGITS.test(digits)) throw new HoldfastError('wire.malformed', { field, offset });
    values.set(field, Number.parseInt(digits, 16));
  }
  const value = (field: (typeof FIELDS)[number]): number => values.get(field) ?? 0;
  const [size, nameSize, sum] = [value('size'), value('nameSize'), value('sum')];
  if (nameSize < 2 || nameSize > MAX_CPIO_NAME || (kind === 'newc' && sum !== 0))
    throw new HoldfastError('wire.malformed', { field: 'cpio header', offset });
  // The end has no file and no type.
  if (size > 0 && value('mode') - (value('mode') & PERMISSIONS) !== REGULAR)
    throw new HoldfastError('wire.unsupported', { field: 'cpio mode', offset });
  return { kind, size, nameSize, sum };
}

/** The name of a file: its bytes with the NUL. @throws `wire.malformed` for a name that leads elsewhere */
export function decodeCpioName(bytes: Uint8Array, offset: number): string {
  const name = new TextDecoder('latin1').decode(bytes.subarray(0, -1));
  if (bytes.at(-1) !== 0 || (name !== CPIO_END && !NAME.test(name)))
    throw new HoldfastError('wire.malformed', { field: 'cpio name', offset });
  return name;
}

/** Bytes that fill a length to the next multiple of four. */
export function cpioFilling(length: number): number {
  return -length & 3;
}

/** A file with its header, filled to four bytes. */
export function encodeCpioEntry(kind: CpioKind, name: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const isEnd = name === CPIO_END;
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');
  const sum = kind === 'crc' ? cpioSum(data) : 0;
  const values = [0, isEnd ? 0 : REGULAR | 0o644, 1, 0, 0, 0, data.length, 0, 0, 0, 0, name.length + 1, sum];
  const writer = new ByteWriter(data.length + 512).bytes(
    encodeUtf8(`${kind === 'crc' ? '070702' : '070701'}${values.map(hex).join('')}${name}\0`),
  );
  writer.fill(0, cpioFilling(writer.length)).bytes(data);
  return writer.fill(0, cpioFilling(writer.length)).finish();
}

/** Adds bytes to the sum of the CRC format, which is no CRC. */
export function cpioSum(bytes: Uint8Array, before = 0): number {
  let sum = before;
  for (let at = 0; at < bytes.length; at++) sum += bytes[at] ?? 0;
  return sum >>> 0;
}
