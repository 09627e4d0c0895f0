import type { Anatomy, NumberField, Part } from './specimen.ts';

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const le = (at: number, width: 2 | 4): NumberField => ({ at, width, form: 'le' });

/** MCUboot: header, payload, entries of the protected and of the unprotected area. */
export function mcubootAnatomy(bytes: Uint8Array): Anatomy {
  const data = view(bytes);
  const [headerSize, protectedSize, imageSize] = [
    data.getUint16(8, true),
    data.getUint16(10, true),
    data.getUint32(12, true),
  ];
  const payloadEnd = headerSize + imageSize;
  const parts: Part[] = [
    { name: 'header', start: 0, end: headerSize, counted: [] },
    { name: 'payload', start: headerSize, end: payloadEnd, counted: [le(12, 4)] },
  ];
  const numbers: NumberField[] = [le(0, 4), le(4, 4), le(8, 2), le(10, 2), le(12, 4), le(16, 4), le(20, 4), le(28, 4)];
  const area = (start: number, name: string, counted: readonly NumberField[]): number => {
    const end = start + data.getUint16(start + 2, true);
    numbers.push(le(start, 2), le(start + 2, 2));
    for (let at = start + 4; at < end; ) {
      const size = data.getUint16(at + 2, true);
      numbers.push(le(at, 2), le(at + 2, 2));
      parts.push({ name, start: at, end: at + 4 + size, counted });
      parts.push({ name: `${name} value`, start: at + 4, end: at + 4 + size, counted: [...counted, le(at + 2, 2)] });
      at += 4 + size;
    }
    parts.push({ name: `${name} area`, start, end, counted: [] });
    return end;
  };
  const protectedEnd =
    protectedSize === 0 ? payloadEnd : area(payloadEnd, 'protected TLV', [le(payloadEnd + 2, 2), le(10, 2)]);
  const end = area(protectedEnd, 'unprotected TLV', [le(protectedEnd + 2, 2)]);
  if (end < bytes.length) parts.push({ name: 'trailer', start: end, end: bytes.length, counted: [] });
  return { parts, numbers };
}

/** An ESP32 image padded to sectors, and the sector of up to three signature blocks. */
export function espV2Anatomy(bytes: Uint8Array): Anatomy {
  const sector = bytes.length - 4096;
  const blocks = [0, 1, 2].map((index) => sector + index * 1216);
  return {
    parts: [
      { name: 'image', start: 0, end: sector, counted: [] },
      { name: 'page', start: sector - 4096, end: sector, counted: [] },
      ...blocks.map((start) => ({ name: 'block', start, end: start + 1216, counted: [] })),
      { name: 'signature sector', start: sector, end: bytes.length, counted: [] },
    ],
    numbers: blocks.flatMap((start) => [le(start, 2), le(start + 2, 2), le(start + 36, 4), le(start + 1196, 4)]),
  };
}

/** An ESP32 image with the 68 bytes of secure boot v1 behind it. */
export function espV1Anatomy({ length }: Uint8Array): Anatomy {
  return {
    parts: [
      { name: 'image', start: 0, end: length - 68, counted: [] },
      { name: 'version', start: length - 68, end: length - 64, counted: [] },
      { name: 'r', start: length - 64, end: length - 32, counted: [] },
      { name: 's', start: length - 32, end: length, counted: [] },
    ],
    numbers: [le(length - 68, 4)],
  };
}

/** A ZIP of stored files: each with its header, the directory, the end. */
export function zipAnatomy(bytes: Uint8Array): Anatomy {
  const data = view(bytes);
  const end = bytes.length - 22;
  const directory = data.getUint32(end + 16, true);
  const parts: Part[] = [
    { name: 'directory', start: directory, end, counted: [le(end + 12, 4)] },
    { name: 'end', start: end, end: bytes.length, counted: [] },
  ];
  const numbers = [4, 6, 8, 10, 20].map((offset) => le(end + offset, 2)).concat(le(end + 12, 4), le(end + 16, 4));
  for (let at = directory; at < end; ) {
    const [size, nameLength] = [data.getUint32(at + 20, true), data.getUint16(at + 28, true)];
    const local = data.getUint32(at + 42, true);
    const dataAt = local + 30 + nameLength;
    const sizes = [le(at + 20, 4), le(at + 24, 4), le(local + 18, 4), le(local + 22, 4)];
    const moved = [le(end + 16, 4)];
    parts.push({ name: 'entry', start: at, end: at + 46 + nameLength, counted: [le(end + 12, 4)] });
    parts.push({ name: 'file', start: local, end: dataAt + size, counted: moved });
    parts.push({ name: 'file data', start: dataAt, end: dataAt + size, counted: [...sizes, ...moved] });
    numbers.push(...sizes, le(at + 16, 4), le(local + 14, 4), le(at + 42, 4), le(at + 28, 2), le(local + 26, 2));
    numbers.push(...[6, 8, 10, 30, 32, 34].map((offset) => le(at + offset, 2)));
    numbers.push(...[4, 6, 8, 28].map((offset) => le(local + offset, 2)));
    at += 46 + nameLength;
  }
  return { parts, numbers };
}

/** Firmware for the immutable bootloader, its information at `info`, and the validation block. */
export function nsibAnatomy(bytes: Uint8Array, info: number): Anatomy {
  const block = bytes.length - 176;
  return {
    parts: [
      { name: 'firmware', start: 0, end: block, counted: [le(info + 16, 4)] },
      { name: 'information', start: info, end: info + 60, counted: [le(info + 16, 4)] },
      { name: 'block', start: block, end: bytes.length, counted: [] },
      { name: 'digest', start: block + 16, end: block + 48, counted: [] },
      { name: 'public key', start: block + 48, end: block + 112, counted: [] },
      { name: 'signature', start: block + 112, end: bytes.length, counted: [] },
    ],
    numbers: [
      ...[0, 4, 8, 12, 16, 20, 24, 28, 32].map((offset) => le(info + offset, 4)),
      ...[0, 4, 8, 12].map((offset) => le(block + offset, 4)),
    ],
  };
}

/** An NXP image or secure binary around its certificate block. */
export function nxpAnatomy(bytes: Uint8Array, blockAt: number, lengths: readonly number[]): Anatomy {
  const data = view(bytes);
  const outer = [...lengths, blockAt + 20].map((at) => le(at, 4));
  const table = le(blockAt + 28, 4);
  const tableEnd = blockAt + 32 + data.getUint32(blockAt + 28, true);
  const parts: Part[] = [{ name: 'before the certificates', start: 0, end: blockAt, counted: outer }];
  const numbers = [...outer, ...[0, 4, 8, 12, 16, 24, 28].map((offset) => le(blockAt + offset, 4))];
  for (let at = blockAt + 32; at < tableEnd; ) {
    const size = data.getUint32(at, true);
    const counted = [...outer, table];
    parts.push({ name: 'certificate', start: at, end: at + 4 + size, counted });
    const own = { at, width: 4, form: 'le' } as const;
    parts.push(...derAnatomy(bytes, at + 4, at + 4 + size - 4, [...counted, own]).parts);
    numbers.push(own);
    at += 4 + size;
  }
  for (let slot = 0; slot < 4; slot++) {
    const start = tableEnd + slot * 32;
    parts.push({ name: 'root key hash', start, end: start + 32, counted: outer });
  }
  parts.push({ name: 'signature', start: tableEnd + 128, end: bytes.length, counted: [le(0x20, 4)] });
  return { parts, numbers };
}

const CONSTRUCTED = 0x20;

/** Every element of DER, whose enclosing lengths count it; it ends where what follows is no element. */
function derAnatomy(bytes: Uint8Array, start: number, end: number, counted: readonly NumberField[]): Anatomy {
  const parts: Part[] = [];
  const numbers: NumberField[] = [];
  for (let at = start; at + 2 <= end; ) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1] ?? 0;
    const extra = first < 0x80 ? 0 : first & 0x7f;
    if (extra > 3) break;
    const lengthAt = extra === 0 ? at + 1 : at + 2;
    let size = extra === 0 ? first : 0;
    for (let index = 0; index < extra; index++) size = size * 256 + (bytes[at + 2 + index] ?? 0);
    const [from, to] = [at + 2 + extra, at + 2 + extra + size];
    if (to > end) break;
    const width = extra === 3 ? 3 : extra === 2 ? 2 : 1;
    const own: NumberField = { at: lengthAt, width, form: 'be' };
    parts.push({ name: 'DER element', start: at, end: to, counted });
    parts.push({ name: 'DER content', start: from, end: to, counted: [...counted, own] });
    numbers.push(own, { at, width: 1, form: 'be' });
    if ((tag & CONSTRUCTED) !== 0) {
      const inner = derAnatomy(bytes, from, to, [...counted, own]);
      parts.push(...inner.parts);
      numbers.push(...inner.numbers);
    }
    at = to;
  }
  return { parts: parts.filter((part) => part.end > part.start), numbers };
}

/** A RAUC bundle: file system, hash tree, CMS, and its size in eight bytes. */
export function raucAnatomy(bytes: Uint8Array): Anatomy {
  const size: NumberField = { at: bytes.length - 8, width: 8, form: 'be' };
  const signature = bytes.length - 8 - Number(view(bytes).getBigUint64(bytes.length - 8));
  const der = derAnatomy(bytes, signature, bytes.length - 8, [size]);
  const blocks = Array.from({ length: Math.floor(signature / 4096) }, (_, index) => ({
    name: 'block',
    start: index * 4096,
    end: index * 4096 + 4096,
    counted: [],
  }));
  return {
    parts: [...blocks, { name: 'size', start: bytes.length - 8, end: bytes.length, counted: [] }, ...der.parts],
    numbers: [size, ...[0, 4, 40].map((at) => le(at, 4)), ...der.numbers],
  };
}

const CPIO_HEADER = 110;

/** A `.swu`: files with their headers; the signature taken apart too. */
export function swuAnatomy(bytes: Uint8Array): Anatomy {
  const text = new TextDecoder('latin1').decode(bytes);
  const parts: Part[] = [];
  const numbers: NumberField[] = [];
  for (let at = 0; at + CPIO_HEADER <= bytes.length && text.slice(at, at + 5) === '07070'; ) {
    const field = (index: number): number => at + 6 + 8 * index;
    const value = (index: number): number => Number.parseInt(text.slice(field(index), field(index) + 8), 16);
    const [size, nameSize] = [value(6), value(11)];
    const name = text.slice(at + CPIO_HEADER, at + CPIO_HEADER + nameSize - 1);
    const dataAt = (at + CPIO_HEADER + nameSize + 3) & ~3;
    const end = (dataAt + size + 3) & ~3;
    const counted: NumberField = { at: field(6), width: 8, form: 'hex' };
    for (let index = 0; index < 13; index++) numbers.push({ at: field(index), width: 8, form: 'hex' });
    parts.push({ name: name === 'TRAILER!!!' ? 'last name' : 'file', start: at, end, counted: [] });
    if (size > 0) parts.push({ name: 'file data', start: dataAt, end: dataAt + size, counted: [counted] });
    if (name === 'sw-description.sig' && bytes[dataAt] === 0x30) {
      const der = derAnatomy(bytes, dataAt, dataAt + size, [counted]);
      parts.push(...der.parts);
      numbers.push(...der.numbers);
    }
    at = end;
  }
  return { parts, numbers };
}
