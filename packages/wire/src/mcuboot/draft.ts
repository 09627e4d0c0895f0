import { concatBytes, HoldfastError } from '@holdfast/kernel';
import { MCUBOOT_FLAG, MCUBOOT_HEADER_LENGTH, MCUBOOT_TLV } from './constants.ts';
import { encodeMcubootHeader } from './header.ts';
import { HASH_TLV, type McubootHash } from './key-kinds.ts';
import { encodeMetadata, type McubootMetadata } from './metadata.ts';
import { encodeTlvArea, type McubootTlv } from './tlv.ts';
import type { ErasedValue } from './trailer.ts';
import type { McubootVersion } from './version.ts';

/** What an image is built from beside its payload; sizes in bytes. */
export interface McubootImageSpec extends McubootMetadata {
  readonly version: McubootVersion;
  /** A multiple of 32, at most 65,504. */
  readonly headerSize: number;
  /** Put the header before the payload; otherwise the payload begins with `headerSize` zeros that it replaces. */
  readonly padHeader?: boolean;
  readonly erasedValue?: ErasedValue;
  /** RAM address the boot code copies the image to. */
  readonly loadAddress?: number;
  /** Flash address the image was linked for. */
  readonly romFixed?: number;
  readonly nonBootable?: boolean;
  /** AES key size of the payload's encryption; the payload is padded with zeros to 16 bytes. */
  readonly encryption?: 128 | 256;
  readonly vendorTypes?: readonly number[];
  /** Fill the header's last word like the gap behind it. */
  readonly headerFilling?: boolean;
}

/** What follows the covered bytes. */
export interface McubootSeal {
  readonly hash: McubootHash;
  readonly digest: Uint8Array;
  /** The signature covers the image itself, not its digest. */
  readonly pure?: boolean;
  readonly key: { readonly form: 'hash' | 'full'; readonly bytes: Uint8Array };
  readonly signatureTlv: number;
  readonly signature: Uint8Array;
  readonly encryption?: McubootTlv;
}

const MAX_HEADER = 0xffe0;
const MAX_PAYLOAD = 0x7fff_ffff;
const MAX_ADDRESS = 0xffff_ffff;

/**
 * Builds header, payload and protected area: the bytes a hash and a signature cover.
 *
 * @throws `boot.header_not_blank` when the payload has no room for the header.
 * @throws `boot.bad_option` or `boot.bad_version` for a value outside its field.
 * @see imgtool image.py, Image.create and add_header
 */
export function draftMcubootImage(payload: Uint8Array, spec: McubootImageSpec): Uint8Array<ArrayBuffer> {
  checkSpec(spec);
  const body = spec.padHeader === true ? payload : withoutBlankHeader(payload, spec.headerSize);
  if (body.length === 0 || body.length > MAX_PAYLOAD)
    throw new HoldfastError('boot.bad_option', { option: 'payload', size: body.length });
  const imageSize = spec.encryption === undefined ? body.length : Math.ceil(body.length / 16) * 16;
  const metadata = encodeTlvArea('protected', encodeMetadata(spec, spec.vendorTypes));
  const fields = {
    loadAddress: spec.romFixed ?? spec.loadAddress ?? 0,
    headerSize: spec.headerSize,
    protectedSize: metadata.length,
    imageSize,
    flags: flagsOf(spec),
    version: spec.version,
  };
  const isFilled = spec.headerFilling === true && spec.erasedValue === 0xff;
  const header = encodeMcubootHeader(fields, isFilled ? 0xffffffff : 0);
  const covered = new Uint8Array(spec.headerSize + imageSize + metadata.length);
  if (spec.padHeader === true) covered.fill(spec.erasedValue ?? 0xff, MCUBOOT_HEADER_LENGTH, spec.headerSize);
  covered.set(header);
  covered.set(body, spec.headerSize);
  covered.set(metadata, spec.headerSize + imageSize);
  return covered;
}

/** The unprotected entries in imgtool's order: hash, pure mark, key, signature, encrypted key. */
export function encodeSeal(seal: McubootSeal): Uint8Array<ArrayBuffer> {
  const { hash, digest, pure = false, key, signatureTlv, signature, encryption } = seal;
  const tlvs: McubootTlv[] = [{ type: HASH_TLV[hash], value: digest }];
  if (pure) tlvs.push({ type: MCUBOOT_TLV.pure, value: Uint8Array.of(1) });
  tlvs.push({ type: key.form === 'hash' ? MCUBOOT_TLV.keyHash : MCUBOOT_TLV.publicKey, value: key.bytes });
  tlvs.push({ type: signatureTlv, value: signature });
  if (encryption !== undefined) tlvs.push(encryption);
  return encodeTlvArea('unprotected', tlvs);
}

/** The whole image: the covered bytes (payload encrypted or not) and what follows them. */
export function sealMcubootImage(covered: Uint8Array, seal: McubootSeal): Uint8Array<ArrayBuffer> {
  return concatBytes(covered, encodeSeal(seal));
}

function flagsOf({ loadAddress = 0, romFixed, nonBootable = false, encryption }: McubootImageSpec): number {
  let flags = 0;
  if (encryption !== undefined) flags |= encryption === 128 ? MCUBOOT_FLAG.aes128 : MCUBOOT_FLAG.aes256;
  if (loadAddress !== 0) flags |= MCUBOOT_FLAG.ramLoad;
  if (romFixed !== undefined) flags |= MCUBOOT_FLAG.romFixed;
  if (nonBootable) flags |= MCUBOOT_FLAG.nonBootable;
  return flags;
}

function checkSpec({ headerSize, loadAddress = 0, romFixed }: McubootImageSpec): void {
  const fits = Number.isInteger(headerSize) && headerSize >= MCUBOOT_HEADER_LENGTH && headerSize <= MAX_HEADER;
  if (!fits || headerSize % MCUBOOT_HEADER_LENGTH !== 0) {
    throw new HoldfastError('boot.bad_option', { option: 'header-size', value: headerSize });
  }
  for (const address of [loadAddress, romFixed ?? 0]) {
    if (!Number.isInteger(address) || address < 0 || address > MAX_ADDRESS) {
      throw new HoldfastError('boot.bad_option', { option: 'load-addr or rom-fixed', limit: MAX_ADDRESS });
    }
  }
  if (loadAddress !== 0 && romFixed !== undefined) {
    throw new HoldfastError('boot.bad_option', { option: 'load-addr with rom-fixed' });
  }
}

function withoutBlankHeader(payload: Uint8Array, headerSize: number): Uint8Array {
  const blank = payload.length >= headerSize && payload.subarray(0, headerSize).every((byte) => byte === 0);
  if (!blank) throw new HoldfastError('boot.header_not_blank', { needed: headerSize });
  return payload.subarray(headerSize);
}
