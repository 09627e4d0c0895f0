import { createHash } from 'node:crypto';
import { concatBytes, decodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';

const NAMESPACE_DNS = decodeHex('6ba7b8109dad11d180b400c04fd430c8'); // RFC 9562 section 6.6
const DASHED = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;
const PLAIN = /^[0-9a-fA-F]{32}$/;

/**
 * The vendor id of a product: a UUID as given, or UUIDv5(DNS, domain name).
 *
 * @returns 16 bytes.
 * @see imgtool image.py, parse_uuid
 */
export function mcubootVendorId(text: string): Uint8Array {
  return readUuid(text) ?? uuidV5(NAMESPACE_DNS, text);
}

/**
 * The class id of a product: a UUID as given, or UUIDv5(vendor id, name).
 *
 * @throws `boot.bad_option` for a name without a vendor id.
 */
export function mcubootClassId(text: string, vendorId: Uint8Array | undefined): Uint8Array {
  const raw = readUuid(text);
  if (raw !== undefined) return raw;
  if (vendorId === undefined) throw new HoldfastError('boot.bad_option', { option: 'cid', reason: 'no vid' });
  return uuidV5(vendorId, text);
}

function readUuid(text: string): Uint8Array | undefined {
  return DASHED.test(text) || PLAIN.test(text) ? decodeHex(text.replaceAll('-', '')) : undefined;
}

/** RFC 9562 section 5.5. */
function uuidV5(namespace: Uint8Array, name: string): Uint8Array {
  const sha1 = createHash('sha1')
    .update(concatBytes(namespace, encodeUtf8(name)))
    .digest();
  const uuid = Uint8Array.from(sha1.subarray(0, 16));
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x50;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  return uuid;
}
