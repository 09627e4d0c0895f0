import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';
import { PROTECTED_AREA_MAGIC, TLV_HEADER_LENGTH, TLV_RULES, UNPROTECTED_AREA_MAGIC, VENDOR_TLV } from './constants.ts';

export type TlvArea = 'protected' | 'unprotected';

/** One entry: u16 type, u16 length, value. */
export interface McubootTlv {
  readonly type: number;
  readonly value: Uint8Array;
}

const AREA_MAGIC = { protected: PROTECTED_AREA_MAGIC, unprotected: UNPROTECTED_AREA_MAGIC } as const;
const MAX_AREA = 0xffff;

/** An area read from bytes: its entries and where it ends. */
export interface DecodedTlvArea {
  readonly tlvs: readonly McubootTlv[];
  readonly end: number;
}

/**
 * Decodes one TLV area: u16 magic, u16 length including these four bytes, entries to exactly that length.
 *
 * Every entry is bounded by its own area, so that none can reach into the next.
 *
 * @param start - offset of the area in `bytes`.
 * @param vendorTypes - protected types accepted beyond the known ones and the vendor range.
 * @throws `wire.truncated` when the area or an entry ends after what encloses it.
 * @throws `boot.bad_tlv`, `boot.tlv_not_allowed`, `boot.tlv_duplicate` when an entry breaks a rule of its type.
 * @see MCUboot boot/bootutil/src/tlv.c
 */
export function decodeTlvArea(
  bytes: Uint8Array,
  start: number,
  area: TlvArea,
  vendorTypes: readonly number[] = [],
): DecodedTlvArea {
  const info = new ByteReader(bytes, start);
  const magic = info.u16le('it_magic');
  if (magic !== AREA_MAGIC[area]) throw new HoldfastError('boot.bad_tlv', { field: 'it_magic', area, offset: start });
  const length = info.u16le('it_tlv_tot');
  if (length < TLV_HEADER_LENGTH) throw new HoldfastError('boot.bad_tlv', { field: 'it_tlv_tot', area, offset: start });
  info.skip(length - TLV_HEADER_LENGTH, 'it_tlv_tot');

  const end = start + length;
  const reader = new ByteReader(bytes.subarray(0, end), start + TLV_HEADER_LENGTH);
  const tlvs: McubootTlv[] = [];
  while (reader.remaining > 0) {
    const offset = reader.offset;
    const type = reader.u16le('it_type');
    const value = reader.take(reader.u16le('it_len'), 'value');
    const tlv = { type, value };
    checkTlv(tlv, { area, offset, before: tlvs, vendorTypes });
    tlvs.push(tlv);
  }
  return { tlvs, end };
}

/**
 * Encodes an area; no bytes for no entries.
 *
 * @throws `boot.bad_option` when an entry or the area exceeds 65,535 bytes.
 */
export function encodeTlvArea(area: TlvArea, tlvs: readonly McubootTlv[]): Uint8Array<ArrayBuffer> {
  if (tlvs.length === 0) return new Uint8Array(0);
  const total = tlvs.reduce((sum, tlv) => sum + TLV_HEADER_LENGTH + tlv.value.length, TLV_HEADER_LENGTH);
  if (total > MAX_AREA)
    throw new HoldfastError('boot.bad_option', { option: `${area} metadata`, size: total, limit: MAX_AREA });
  const writer = new ByteWriter(total).u16le(AREA_MAGIC[area]).u16le(total);
  for (const tlv of tlvs) writer.u16le(tlv.type).u16le(tlv.value.length).bytes(tlv.value);
  return writer.finish();
}

/** The only entry of a type, or undefined; decoded areas hold unique types at most once. */
export function findTlv(tlvs: readonly McubootTlv[], type: number): Uint8Array | undefined {
  return tlvs.find((tlv) => tlv.type === type)?.value;
}

/** The field's name of a type, or its number. */
export function nameTlv(type: number): string {
  return TLV_RULES.get(type)?.name ?? `0x${type.toString(16).padStart(4, '0')}`;
}

export function isVendorType(type: number): boolean {
  return type >= VENDOR_TLV.first && type <= VENDOR_TLV.last;
}

interface TlvPlace {
  readonly area: TlvArea;
  readonly offset: number;
  readonly before: readonly McubootTlv[];
  readonly vendorTypes: readonly number[];
}

function checkTlv({ type, value }: McubootTlv, { area, offset, before, vendorTypes }: TlvPlace): void {
  const rule = TLV_RULES.get(type);
  const vendor = rule === undefined && (isVendorType(type) || vendorTypes.includes(type));
  if ((rule?.area ?? (vendor ? 'protected' : undefined)) !== area) {
    throw new HoldfastError('boot.tlv_not_allowed', { tlv: nameTlv(type), area, offset });
  }
  if (rule?.repeats !== true && before.some((other) => other.type === type)) {
    throw new HoldfastError('boot.tlv_duplicate', { tlv: nameTlv(type), area, offset });
  }
  if (rule?.lengths !== undefined && !rule.lengths.includes(value.length)) {
    throw new HoldfastError('boot.bad_tlv', { tlv: nameTlv(type), area, offset, length: value.length });
  }
}
