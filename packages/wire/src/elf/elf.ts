import { ByteReader, HoldfastError } from '@holdfast/kernel';

/** What a linker put into flash, from its lowest to its highest load address. */
export interface ElfImage {
  /** Load address of the first byte. */
  readonly address: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly entry: number;
}

/** Bytes of the file and where they are loaded. */
interface Load {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

interface Section {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
}

const MAGIC = 0x464c457f;
const CLASS_32 = 1;
const LITTLE_ENDIAN = 1;
const EXECUTABLE = 2;
const PT_LOAD = 1;
const SHT_NOBITS = 8;
const SHF_ALLOC = 2;
const HEADER = { file: 52, program: 32, section: 40 } as const;
const MAX_HEADERS = 4096;
const ADDRESS_SPACE = 0x1_0000_0000;

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new ByteReader(bytes).u32le('e_ident') === MAGIC;
}

/**
 * Makes the flat image of a linked 32-bit little-endian program, the bytes `objcopy -O binary` makes: what is allocated and
 * has bytes in the file, at its load address; gaps read as `filling`.
 *
 * @param limit - greatest span of addresses in bytes, checked before anything is allocated.
 * @throws `wire.truncated`, `wire.malformed` for headers outside their rules, overlapping loads, or nothing to load
 * @throws `wire.unsupported` for another class, byte order, or a file that is not linked
 * @throws `wire.too_large` when the addresses span more than `limit`, or headers are too many
 * @see System V ABI, chapters 4 and 5
 */
export function decodeElfImage(
  bytes: Uint8Array,
  { limit = 64 * 1024 * 1024, filling = 0xff }: { readonly limit?: number; readonly filling?: number } = {},
): ElfImage {
  const header = readHeader(bytes);
  const segments = readSegments(bytes, header.programs);
  const loads = loadsOf(segments, readSections(bytes, header.sections)).toSorted((a, b) => a.address - b.address);
  const [first] = loads;
  const last = loads.at(-1);
  if (first === undefined || last === undefined) throw malformed('nothing to load');
  const span = last.address + last.size - first.address;
  if (span > limit) throw new HoldfastError('wire.too_large', { field: 'address span', size: span, limit });
  const image = new Uint8Array(span).fill(filling);
  let end = first.address;
  for (const { address, offset, size } of loads) {
    if (address < end) throw malformed('overlap', address);
    image.set(bytes.subarray(offset, offset + size), address - first.address);
    end = address + size;
  }
  return { address: first.address, bytes: image, entry: header.entry };
}

interface Table {
  readonly offset: number;
  readonly count: number;
}

function readHeader(bytes: Uint8Array): { entry: number; programs: Table; sections: Table } {
  const reader = new ByteReader(bytes);
  if (reader.u32le('e_ident') !== MAGIC) throw new HoldfastError('boot.bad_magic', { field: 'ELF' });
  const [kind, order, version] = [reader.u8('class'), reader.u8('data'), reader.u8('version')];
  if (kind !== CLASS_32 || order !== LITTLE_ENDIAN || version !== 1)
    throw new HoldfastError('wire.unsupported', { field: 'ELF class', class: kind, data: order });
  reader.skip(9, 'e_ident');
  const type = reader.u16le('e_type');
  if (type !== EXECUTABLE) throw new HoldfastError('wire.unsupported', { field: 'e_type', type });
  reader.skip(6, 'e_machine');
  const entry = reader.u32le('e_entry');
  const [programsAt, sectionsAt] = [reader.u32le('e_phoff'), reader.u32le('e_shoff')];
  reader.skip(4, 'e_flags');
  const headerSize = reader.u16le('e_ehsize');
  const programs = readTable(reader, programsAt, HEADER.program);
  const sections = readTable(reader, sectionsAt, HEADER.section);
  if (headerSize !== HEADER.file) throw malformed('e_ehsize');
  return { entry, programs, sections };
}

/** The size of an entry stands before their number. */
function readTable(reader: ByteReader, offset: number, wanted: number): Table {
  const [size, count] = [reader.u16le('entry size'), reader.u16le('entry count')];
  if (count > MAX_HEADERS) throw new HoldfastError('wire.too_large', { field: 'ELF headers', limit: MAX_HEADERS });
  if (count > 0 && size !== wanted) throw malformed('entry size');
  return { offset, count };
}

function* entriesOf(bytes: Uint8Array, { offset, count }: Table, size: number): Generator<ByteReader> {
  const table = new ByteReader(bytes.subarray(offset)).take(count * size, 'ELF headers');
  for (let at = 0; at < table.length; at += size) yield new ByteReader(table.subarray(at, at + size));
}

function readSegments(bytes: Uint8Array, table: Table): Load[] {
  const loads: Load[] = [];
  for (const reader of entriesOf(bytes, table, HEADER.program)) {
    const type = reader.u32le('p_type');
    const offset = reader.u32le('p_offset');
    reader.skip(4, 'p_vaddr');
    const address = reader.u32le('p_paddr');
    const size = reader.u32le('p_filesz');
    const memory = reader.u32le('p_memsz');
    if (type !== PT_LOAD || size === 0) continue;
    if (offset + size > bytes.length)
      throw new HoldfastError('wire.truncated', { field: 'segment', offset, needed: size });
    if (size > memory || address + size > ADDRESS_SPACE) throw malformed('segment', address);
    loads.push({ address, offset, size });
  }
  return loads;
}

function readSections(bytes: Uint8Array, table: Table): Section[] {
  return Array.from(entriesOf(bytes, table, HEADER.section), (reader) => {
    reader.skip(4, 'sh_name');
    const [type, flags] = [reader.u32le('sh_type'), reader.u32le('sh_flags')];
    reader.skip(4, 'sh_addr');
    return { type, flags, offset: reader.u32le('sh_offset'), size: reader.u32le('sh_size') };
  });
}

/** A segment may begin with the file's own headers, which no section allocates; a file without sections is taken whole. */
function loadsOf(segments: readonly Load[], sections: readonly Section[]): Load[] {
  if (sections.length === 0) return [...segments];
  const isLoaded = ({ type, flags, size }: Section): boolean =>
    type !== 0 && type !== SHT_NOBITS && (flags & SHF_ALLOC) !== 0 && size > 0;
  return sections.filter(isLoaded).map(({ offset, size }) => {
    const home = segments.find((segment) => offset >= segment.offset && offset + size <= segment.offset + segment.size);
    if (home === undefined) throw malformed('section in no segment', offset);
    return { address: home.address + offset - home.offset, offset, size };
  });
}

function malformed(reason: string, offset = 0): HoldfastError {
  return new HoldfastError('wire.malformed', { field: 'ELF', reason, offset });
}
