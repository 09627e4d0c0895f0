import { ByteReader, ByteWriter, concatBytes, decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { crc32 } from '../esp32/index.ts';

/** One stored file of an archive; `data` is a view. */
export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
}

const LOCAL_MAGIC = 0x04034b50;
const CENTRAL_MAGIC = 0x02014b50;
const END_MAGIC = 0x06054b50;
const END_LENGTH = 22;
const MAX_ENTRIES = 16;
/** No folder, no hidden file: a name must not lead anywhere when somebody unpacks it. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/;
const VERSION = 20;
/** 1980-01-01, so that one content has one archive. */
const DOS_DATE = 0x0021;

/**
 * Reads a ZIP archive of stored files in the one form in which every reader finds the same files: entries side by side
 * from the first byte, both headers alike, the directory right behind them, no comment, no extra field.
 *
 * @throws `wire.truncated`, `wire.malformed`, `wire.duplicate`, `wire.too_large` over 16 entries, `wire.unsupported` for
 * compression or encryption, `boot.checksum_mismatch`
 * @see PKWARE APPNOTE 6.3.3, sections 4.3.7, 4.3.12 and 4.3.16
 */
export function decodeZip(bytes: Uint8Array): ZipEntry[] {
  const { count, offset } = readEnd(bytes);
  const directory = new ByteReader(bytes.subarray(0, bytes.length - END_LENGTH), offset);
  const files = new ByteReader(bytes.subarray(0, offset));
  const entries: ZipEntry[] = [];
  for (let index = 0; index < count; index++) {
    const entry = readEntry(directory, files);
    if (entries.some(({ name }) => name === entry.name))
      throw new HoldfastError('wire.duplicate', { field: 'zip name' });
    entries.push(entry);
  }
  files.end('zip file');
  directory.end('zip directory');
  return entries;
}

function readEnd(bytes: Uint8Array): { readonly count: number; readonly offset: number } {
  if (bytes.length < END_LENGTH) throw new HoldfastError('wire.truncated', { field: 'zip end', size: bytes.length });
  const start = bytes.length - END_LENGTH;
  const reader = new ByteReader(bytes, start);
  if (reader.u32le('magic') !== END_MAGIC) throw malformed('end', start);
  const disks = [reader.u16le('disk'), reader.u16le('directory disk')];
  const onDisk = reader.u16le('entries here');
  const count = reader.u16le('entries');
  const size = reader.u32le('directory size');
  const offset = reader.u32le('directory offset');
  if (disks.some((disk) => disk !== 0) || onDisk !== count || reader.u16le('comment length') !== 0)
    throw malformed('end', start);
  if (offset + size !== start) throw malformed('directory', start);
  if (count > MAX_ENTRIES) throw new HoldfastError('wire.too_large', { field: 'zip entries', limit: MAX_ENTRIES });
  return { count, offset };
}

/** What both headers of a file say, in the order they say it. */
function readShared(reader: ByteReader): readonly number[] {
  const fields = [reader.u16le('version needed'), reader.u16le('flags'), reader.u16le('method')];
  const [, flags, method] = fields;
  if (flags !== 0 || method !== 0) throw new HoldfastError('wire.unsupported', { field: 'zip method', flags, method });
  fields.push(reader.u16le('time'), reader.u16le('date'));
  return [
    ...fields,
    reader.u32le('crc'),
    reader.u32le('stored size'),
    reader.u32le('size'),
    reader.u16le('name length'),
    reader.u16le('extra length'),
  ];
}

function readEntry(directory: ByteReader, files: ByteReader): ZipEntry {
  const at = directory.offset;
  if (directory.u32le('magic') !== CENTRAL_MAGIC) throw malformed('directory', at);
  directory.u16le('made by');
  const shared = readShared(directory);
  const [crc = 0, storedSize = 0, size = 0, nameLength = 0, extraLength = 0] = shared.slice(5);
  const rest = [directory.u16le('comment length'), directory.u16le('disk')];
  directory.skip(6, 'attributes');
  const offset = directory.u32le('offset');
  const name = decodeUtf8(directory.take(nameLength, 'name'), 'zip name');
  if (extraLength !== 0 || rest.some((value) => value !== 0) || storedSize !== size || offset !== files.offset)
    throw malformed('directory', at);
  if (!NAME.test(name)) throw malformed('name', at);

  if (files.u32le('magic') !== LOCAL_MAGIC) throw malformed('file', offset);
  const local = readShared(files);
  const isSame = local.every((value, index) => value === shared[index]);
  if (!isSame || decodeUtf8(files.take(nameLength, 'name'), 'zip name') !== name) throw malformed('file', offset);
  const data = files.take(size, 'data');
  if (crc32(data) !== crc) throw new HoldfastError('boot.checksum_mismatch', { field: 'zip file', offset });
  return { name, data };
}

/** Writes stored files side by side; the same files give the same bytes. @throws `wire.malformed` for a name outside the rules */
export function encodeZip(entries: readonly ZipEntry[]): Uint8Array<ArrayBuffer> {
  const files = new ByteWriter(entries.reduce((sum, { data }) => sum + data.length + 128, 0));
  const directory = new ByteWriter(512);
  for (const { name, data } of entries) {
    if (!NAME.test(name)) throw malformed('name', files.length);
    const offset = files.length;
    const label = encodeUtf8(name);
    const shared = new ByteWriter(26).u16le(VERSION).u16le(0).u16le(0).u16le(0).u16le(DOS_DATE).u32le(crc32(data));
    shared.u32le(data.length).u32le(data.length).u16le(label.length).u16le(0);
    files.u32le(LOCAL_MAGIC).bytes(shared.finish()).bytes(label).bytes(data);
    directory.u32le(CENTRAL_MAGIC).u16le(VERSION).bytes(shared.finish()).fill(0, 10).u32le(offset).bytes(label);
  }
  const end = new ByteWriter(END_LENGTH).u32le(END_MAGIC).fill(0, 4).u16le(entries.length).u16le(entries.length);
  end.u32le(directory.length).u32le(files.length).u16le(0);
  return concatBytes(files.finish(), directory.finish(), end.finish());
}

function malformed(reason: string, offset: number): HoldfastError {
  return new HoldfastError('wire.malformed', { field: 'zip', reason, offset });
}
