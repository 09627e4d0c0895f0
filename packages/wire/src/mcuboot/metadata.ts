import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';
import { MCUBOOT_TLV, TLV_RULES } from './constants.ts';
import { encodeBootRecord, type McubootBootRecord } from './boot-record.ts';
import { findTlv, isVendorType, type McubootTlv } from './tlv.ts';
import { type McubootVersion, readVersion, writeVersion } from './version.ts';

/** Another image, and the least version of it, that this one needs. */
export interface McubootDependency {
  readonly imageId: number;
  readonly version: McubootVersion;
}

/** What the protected area says. */
export interface McubootMetadata {
  readonly securityCounter?: number;
  readonly bootRecord?: McubootBootRecord;
  readonly dependencies?: readonly McubootDependency[];
  /** 16 bytes. */
  readonly vendorId?: Uint8Array;
  /** 16 bytes. */
  readonly classId?: Uint8Array;
  readonly custom?: readonly McubootTlv[];
}

const MAX_COUNTER = 0xffffffff;
const UUID_LENGTH = 16;

/**
 * The protected entries in imgtool's order: counter, boot record, dependencies, vendor and class id, custom.
 *
 * @param vendorTypes - custom types accepted outside the vendor range.
 * @throws `boot.bad_option` for a value that does not fit, or a custom type that is reserved or given twice.
 */
export function encodeMetadata(metadata: McubootMetadata, vendorTypes: readonly number[] = []): McubootTlv[] {
  const { securityCounter, bootRecord, dependencies = [], vendorId, classId, custom = [] } = metadata;
  const tlvs: McubootTlv[] = [];
  if (securityCounter !== undefined) tlvs.push(encodeCounter(securityCounter));
  if (bootRecord !== undefined) tlvs.push({ type: MCUBOOT_TLV.bootRecord, value: encodeBootRecord(bootRecord) });
  for (const dependency of dependencies) tlvs.push(encodeDependency(dependency));
  if (vendorId !== undefined) tlvs.push(encodeUuid(MCUBOOT_TLV.vendorId, vendorId));
  if (classId !== undefined) tlvs.push(encodeUuid(MCUBOOT_TLV.classId, classId));
  for (const tlv of custom) {
    const allowed = !TLV_RULES.has(tlv.type) && (isVendorType(tlv.type) || vendorTypes.includes(tlv.type));
    if (!allowed || custom.filter((other) => other.type === tlv.type).length > 1) {
      throw new HoldfastError('boot.bad_option', { option: 'custom-tlv', type: tlv.type });
    }
    tlvs.push(tlv);
  }
  return tlvs;
}

/** The security counter of a decoded image, or undefined. */
export function readSecurityCounter(protectedTlvs: readonly McubootTlv[]): number | undefined {
  const value = findTlv(protectedTlvs, MCUBOOT_TLV.securityCounter);
  return value === undefined ? undefined : new ByteReader(value).u32le('SEC_CNT');
}

/**
 * The dependencies of a decoded image, in file order.
 *
 * @throws `boot.bad_tlv` when the three bytes between image id and version are not zero.
 */
export function readDependencies(protectedTlvs: readonly McubootTlv[]): McubootDependency[] {
  return protectedTlvs.filter((tlv) => tlv.type === MCUBOOT_TLV.dependency).map(({ value }) => decodeDependency(value));
}

function encodeCounter(counter: number): McubootTlv {
  if (!Number.isInteger(counter) || counter < 0 || counter > MAX_COUNTER) {
    throw new HoldfastError('boot.bad_option', { option: 'security-counter', limit: MAX_COUNTER });
  }
  return { type: MCUBOOT_TLV.securityCounter, value: new ByteWriter().u32le(counter).finish() };
}

function encodeDependency({ imageId, version }: McubootDependency): McubootTlv {
  if (!Number.isInteger(imageId) || imageId < 0 || imageId > 0xff) {
    throw new HoldfastError('boot.bad_option', { option: 'dependencies', limit: 0xff });
  }
  const writer = new ByteWriter().u8(imageId).fill(0, 3);
  writeVersion(writer, version);
  return { type: MCUBOOT_TLV.dependency, value: writer.finish() };
}

function decodeDependency(value: Uint8Array): McubootDependency {
  const reader = new ByteReader(value);
  const imageId = reader.u8('image_id');
  if (reader.take(3, 'pad').some((byte) => byte !== 0))
    throw new HoldfastError('boot.bad_tlv', { tlv: 'DEPENDENCY', field: 'pad' });
  return { imageId, version: readVersion(reader, 'image_min_version') };
}

function encodeUuid(type: number, value: Uint8Array): McubootTlv {
  if (value.length !== UUID_LENGTH)
    throw new HoldfastError('boot.bad_option', { option: 'vid or cid', size: value.length });
  return { type, value };
}
