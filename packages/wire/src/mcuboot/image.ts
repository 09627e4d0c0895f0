import { HoldfastError } from '@holdfast/kernel';
import { decodeMcubootHeader, type McubootHeader } from './header.ts';
import { decodeTlvArea, type McubootTlv } from './tlv.ts';
import { decodeTrailer, type McubootTrailer } from './trailer.ts';

/** A decoded image. Every byte array is a view of the bytes it was decoded from. */
export interface McubootImage {
  readonly header: McubootHeader;
  readonly payload: Uint8Array;
  readonly protectedTlvs: readonly McubootTlv[];
  readonly unprotectedTlvs: readonly McubootTlv[];
  /** Header, payload and protected area: what the hash and the signature cover. */
  readonly covered: Uint8Array;
  /** The whole image without what follows it. */
  readonly bytes: Uint8Array;
  /** The trailer when the image is padded to its slot. */
  readonly trailer?: McubootTrailer;
}

export interface DecodeImageOptions {
  /**
   * What may follow the image: `padded` (default) only a trailer or nothing, `slot` anything, because the bytes are a
   * whole flash slot whose rest belongs to the boot code.
   */
  readonly tail?: 'padded' | 'slot';
  /** Protected TLV types outside the vendor range that the product uses, such as PSoC 64's 0x81. */
  readonly vendorTypes?: readonly number[];
  /** The header's last word may hold ones too, as the vendor's fork of imgtool leaves it for PSoC 64. */
  readonly headerFilling?: boolean;
}

/**
 * Decodes an MCUboot image: header, payload, protected area, unprotected area, trailer.
 *
 * Structure alone is judged, no hash or signature.
 *
 * @throws `wire.truncated`, `wire.unsupported`, `boot.bad_magic`, `boot.bad_header`, `boot.unsupported_flag`,
 * `boot.bad_tlv`, `boot.tlv_not_allowed`, `boot.tlv_duplicate`, `boot.trailing_bytes`
 * @see MCUboot docs/design.md, image format
 */
export function decodeMcubootImage(bytes: Uint8Array, options: DecodeImageOptions = {}): McubootImage {
  const header = decodeMcubootHeader(bytes, options.headerFilling);
  const payloadEnd = header.headerSize + header.imageSize;
  if (payloadEnd > bytes.length) {
    throw new HoldfastError('wire.truncated', { field: 'payload', needed: payloadEnd, remaining: bytes.length });
  }
  const protectedArea =
    header.protectedSize === 0
      ? { tlvs: [], end: payloadEnd }
      : decodeTlvArea(bytes, payloadEnd, 'protected', options.vendorTypes);
  if (protectedArea.end - payloadEnd !== header.protectedSize) {
    throw new HoldfastError('boot.bad_header', {
      field: 'ih_protect_tlv_size',
      offset: 10,
      value: header.protectedSize,
    });
  }
  const unprotectedArea = decodeTlvArea(bytes, protectedArea.end, 'unprotected');
  const image = {
    header,
    payload: bytes.subarray(header.headerSize, payloadEnd),
    protectedTlvs: protectedArea.tlvs,
    unprotectedTlvs: unprotectedArea.tlvs,
    covered: bytes.subarray(0, protectedArea.end),
    bytes: bytes.subarray(0, unprotectedArea.end),
  };
  if (options.tail === 'slot' || unprotectedArea.end === bytes.length) return image;
  return { ...image, trailer: decodeTrailer(bytes.subarray(unprotectedArea.end)) };
}
