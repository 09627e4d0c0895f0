import { ByteReader, concatBytes, decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { crc32 } from './crc32.ts';
import {
  decodeNvsHeader,
  encodeNvsHeader,
  NVS_TYPE,
  type NvsHeader,
  numberData,
  readNvsNumber,
  readSized,
  sizeData,
} from './nvs-entry.ts';
import { NVS_ENTRY_LENGTH, NVS_PAGE_LENGTH, writtenNvsEntries } from './nvs.ts';

export type NvsItem = { readonly namespace: string; readonly key: string } & (
  | { readonly kind: 'u8' | 'u16' | 'u32'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'blob'; readonly value: Uint8Array }
);

/** ESP-IDF mounts no fewer than three pages, of which one stays free. */
export const NVS_MIN_LENGTH = 3 * NVS_PAGE_LENGTH;

const ENTRIES = 126;
const FIRST_ENTRY = 64;
const BITMAP = 32;
const ACTIVE = 0xfe;
const FULL = 0xfc;
/** Second format: blobs may lie over several pages. */
const VERSION = 0xfe;
const CRC_START = 0;
const ERASED = 0xff;
/** The generator leaves the last entry of a page to nobody when a string would take it. */
const MAX_STRING = (ENTRIES - 2) * NVS_ENTRY_LENGTH;
const MAX_BLOB = 500_000;
const MAX_NAMESPACES = 254;
const MAX_PARTITION = 4 * 1024 * 1024;

/**
 * An NVS partition as Espressif's factory generator writes it, byte for byte.
 *
 * @param length - of the partition: whole pages of 4096 bytes, three or more, one of which stays erased.
 * @throws `wire.malformed` for a length, key, number or text that the format cannot hold; `wire.duplicate` for a key
 * given twice; `wire.too_large` when the items do not fit.
 * @see ESP-IDF docs/en/api-reference/storage/nvs_flash.rst; esp-idf-nvs-partition-gen 0.3.0
 */
export function encodeNvsPartition(items: readonly NvsItem[], length: number): Uint8Array<ArrayBuffer> {
  if (length % NVS_PAGE_LENGTH !== 0 || length < NVS_MIN_LENGTH || length > MAX_PARTITION) {
    throw new HoldfastError('wire.malformed', { field: 'partition', size: length });
  }
  const writer = new PageWriter(length);
  const namespaces = new Map<string, number>();
  const seen = new Set<string>();
  for (const item of items) {
    const place = `${item.namespace}\0${item.key}`;
    if (seen.has(place)) throw new HoldfastError('wire.duplicate', { field: 'key' });
    seen.add(place);
    writer.item(item, namespaceOf(item.namespace, namespaces, writer));
  }
  return writer.finish();
}

function namespaceOf(name: string, known: Map<string, number>, writer: PageWriter): number {
  const present = known.get(name);
  if (present !== undefined) return present;
  const index = known.size + 1;
  if (index > MAX_NAMESPACES) throw new HoldfastError('wire.too_large', { field: 'namespaces', limit: MAX_NAMESPACES });
  known.set(name, index);
  writer.number({ namespace: 0, type: NVS_TYPE.u8, key: name, value: index });
  return index;
}

class PageWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #page = -1;
  #entry = ENTRIES;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length).fill(ERASED);
    this.#nextPage();
  }

  item(item: NvsItem, namespace: number): void {
    if (item.kind === 'string') this.#string(namespace, item.key, item.value);
    else if (item.kind === 'blob') this.#blob(namespace, item.key, item.value);
    else this.number({ namespace, type: NVS_TYPE[item.kind], key: item.key, value: item.value });
  }

  number(given: Pick<NvsHeader, 'namespace' | 'type' | 'key'> & { readonly value: number }): void {
    const header = encodeNvsHeader({ ...given, span: 1, data: numberData(given.type, given.value) });
    if (this.#entry === ENTRIES) this.#nextPage();
    this.#put(header);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  #string(namespace: number, key: string, value: string): void {
    if (value.includes('\0')) throw new HoldfastError('wire.malformed', { field: 'string' });
    const bytes = encodeUtf8(`${value}\0`);
    if (bytes.length > MAX_STRING) throw new HoldfastError('wire.too_large', { field: 'string', limit: MAX_STRING });
    const span = 1 + Math.ceil(bytes.length / NVS_ENTRY_LENGTH);
    if (this.#entry + span >= ENTRIES) this.#nextPage();
    this.#put(encodeNvsHeader({ namespace, type: NVS_TYPE.string, span, key, data: sizeData(bytes) }));
    this.#put(bytes);
  }

  #blob(namespace: number, key: string, value: Uint8Array): void {
    if (value.length > MAX_BLOB) throw new HoldfastError('wire.too_large', { field: 'blob', limit: MAX_BLOB });
    let chunks = 0;
    let at = 0;
    do {
      // A header with no room behind it would begin a chunk of nothing.
      if (this.#entry >= ENTRIES - 1) this.#nextPage();
      const room = (ENTRIES - this.#entry - 1) * NVS_ENTRY_LENGTH;
      const part = value.subarray(at, at + room);
      const span = 1 + Math.ceil(part.length / NVS_ENTRY_LENGTH);
      const data = sizeData(part);
      this.#put(encodeNvsHeader({ namespace, type: NVS_TYPE.blobData, span, chunk: chunks, key, data }));
      this.#put(part);
      chunks += 1;
      at += part.length;
      if (at < value.length || room - part.length < NVS_ENTRY_LENGTH) this.#nextPage();
    } while (at < value.length);
    const data = concatBytes(numberData(NVS_TYPE.u32, value.length), Uint8Array.of(chunks, 0));
    this.#put(encodeNvsHeader({ namespace, type: NVS_TYPE.blobIndex, span: 1, key, data }));
  }

  #put(bytes: Uint8Array): void {
    const page = this.#page * NVS_PAGE_LENGTH;
    this.#bytes.set(bytes, page + FIRST_ENTRY + this.#entry * NVS_ENTRY_LENGTH);
    for (let count = Math.ceil(bytes.length / NVS_ENTRY_LENGTH); count > 0; count--) {
      const place = page + BITMAP + (this.#entry >> 2);
      this.#bytes[place] = (this.#bytes[place] ?? 0) & ~(1 << ((this.#entry & 3) * 2));
      this.#entry += 1;
    }
  }

  #nextPage(): void {
    if ((this.#page + 2) * NVS_PAGE_LENGTH >= this.#bytes.length) {
      throw new HoldfastError('wire.too_large', { field: 'partition', limit: this.#bytes.length });
    }
    if (this.#page >= 0) this.#bytes[this.#page * NVS_PAGE_LENGTH] = FULL;
    this.#page += 1;
    this.#entry = 0;
    const start = this.#page * NVS_PAGE_LENGTH;
    const view = new DataView(this.#bytes.buffer, start);
    this.#bytes[start] = ACTIVE;
    view.setUint32(4, this.#page, true);
    this.#bytes[start + 8] = VERSION;
    view.setUint32(28, crc32(this.#bytes.subarray(start + 4, start + 28), CRC_START), true);
  }
}

/**
 * Reads a partition that a factory wrote: pages in order, nothing erased yet, unencrypted.
 *
 * @throws as `writtenNvsEntries`; `wire.malformed` for a page out of order, an item cut by the end of its page, an
 * unknown namespace or type, or a blob whose chunks do not add up; `boot.checksum_mismatch`, `wire.duplicate`,
 * `wire.truncated`, `wire.too_large`
 */
export function decodeNvsPartition(partition: Uint8Array): NvsItem[] {
  if (partition.length > MAX_PARTITION) {
    throw new HoldfastError('wire.too_large', { field: 'partition', limit: MAX_PARTITION });
  }
  const offsets = writtenNvsEntries(partition);
  checkPages(partition);
  const reader = new ItemReader();
  for (let at = 0; at < offsets.length; ) {
    const offset = offsets[at] ?? 0;
    const header = decodeNvsHeader(partition.subarray(offset, offset + NVS_ENTRY_LENGTH), offset);
    const last = offsets[at + header.span - 1];
    // Written entries of an item lie side by side in one page.
    if (header.span === 0 || last !== offset + (header.span - 1) * NVS_ENTRY_LENGTH || !samePage(offset, last)) {
      throw new HoldfastError('wire.malformed', { field: 'span', offset });
    }
    reader.take(header, partition.subarray(offset + NVS_ENTRY_LENGTH, last + NVS_ENTRY_LENGTH), offset);
    at += header.span;
  }
  return reader.finish();
}

function samePage(first: number, last: number): boolean {
  return Math.floor(first / NVS_PAGE_LENGTH) === Math.floor(last / NVS_PAGE_LENGTH);
}

function checkPages(partition: Uint8Array): void {
  for (let page = 0; page * NVS_PAGE_LENGTH < partition.length; page++) {
    const reader = new ByteReader(partition, page * NVS_PAGE_LENGTH);
    if (reader.u32le('state') === 0xffffffff) continue;
    const isInOrder = reader.u32le('sequence') === page;
    if (!isInOrder || reader.u8('version') !== VERSION) {
      throw new HoldfastError('wire.malformed', { field: 'page', offset: page * NVS_PAGE_LENGTH });
    }
  }
}

class ItemReader {
  readonly #items: NvsItem[] = [];
  readonly #namespaces = new Map<number, string>();
  readonly #seen = new Set<string>();
  #chunks: { readonly header: NvsHeader; readonly bytes: Uint8Array }[] = [];

  take(header: NvsHeader, following: Uint8Array, offset: number): void {
    const { type } = header;
    if (header.namespace === 0) return this.#nameSpace(header, offset);
    if (type === NVS_TYPE.blobData) {
      this.#chunks.push({ header, bytes: readSized(header, following, offset) });
      return;
    }
    if (type === NVS_TYPE.blobIndex) return this.#blob(header, offset);
    if (this.#chunks.length > 0) throw new HoldfastError('wire.malformed', { field: 'blob', offset });
    if (type === NVS_TYPE.string) return this.#string(header, readSized(header, following, offset), offset);
    const kind = (['u8', 'u16', 'u32'] as const).find((each) => NVS_TYPE[each] === type);
    if (kind === undefined) throw new HoldfastError('wire.unsupported', { field: 'type', offset });
    this.#items.push({ ...this.#place(header, offset), kind, value: readNvsNumber(header, offset) });
  }

  finish(): NvsItem[] {
    if (this.#chunks.length > 0) throw new HoldfastError('wire.truncated', { field: 'blob' });
    return this.#items;
  }

  #nameSpace(header: NvsHeader, offset: number): void {
    const index = header.type === NVS_TYPE.u8 ? readNvsNumber(header, offset) : 0;
    const isNext = index === this.#namespaces.size + 1 && index <= MAX_NAMESPACES;
    if (!isNext || [...this.#namespaces.values()].includes(header.key) || this.#chunks.length > 0) {
      throw new HoldfastError('wire.malformed', { field: 'namespace', offset });
    }
    this.#namespaces.set(index, header.key);
  }

  #string(header: NvsHeader, bytes: Uint8Array, offset: number): void {
    if (header.chunk !== 0xff || bytes.indexOf(0) !== bytes.length - 1) {
      throw new HoldfastError('wire.malformed', { field: 'string', offset });
    }
    const value = decodeUtf8(bytes.subarray(0, -1), 'string');
    this.#items.push({ ...this.#place(header, offset), kind: 'string', value });
  }

  #blob(header: NvsHeader, offset: number): void {
    const reader = new ByteReader(header.data);
    const size = reader.u32le('size');
    const count = reader.u8('chunks');
    const value = concatBytes(...this.#chunks.map(({ bytes }) => bytes));
    const isWhole =
      header.span === 1 &&
      header.chunk === 0xff &&
      count === this.#chunks.length &&
      size === value.length &&
      header.data[5] === 0 &&
      header.data[6] === 0xff &&
      header.data[7] === 0xff &&
      this.#chunks.every(
        ({ header: chunk }, index) =>
          chunk.namespace === header.namespace && chunk.key === header.key && chunk.chunk === index,
      );
    if (count === 0 || !isWhole) throw new HoldfastError('wire.malformed', { field: 'blob', offset });
    this.#chunks = [];
    this.#items.push({ ...this.#place(header, offset), kind: 'blob', value });
  }

  #place({ namespace: index, key }: NvsHeader, offset: number): { readonly namespace: string; readonly key: string } {
    const namespace = this.#namespaces.get(index);
    if (namespace === undefined) throw new HoldfastError('wire.malformed', { field: 'namespace', offset });
    const place = `${namespace}\0${key}`;
    if (this.#seen.has(place)) throw new HoldfastError('wire.duplicate', { field: 'key', offset });
    this.#seen.add(place);
    return { namespace, key };
  }
}
