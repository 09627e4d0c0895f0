import { ByteReader, HoldfastError } from '@holdfast/kernel';

/** The customer page of an LPC55S69 that decides what its ROM boots. */
export interface NxpCmpa {
  /** SHA-256 over the table of root key hashes. */
  readonly rootKeyTableHash: Uint8Array;
  /** Only signed images boot. */
  readonly secureBoot: boolean;
  /** Only RSA-4096 keys sign. */
  readonly rsa4096Only: boolean;
  readonly vendorUsage: number;
  /** The ROM then computes the digest that makes the page final. */
  readonly sealed: boolean;
}

export const CMPA_LENGTH = 512;
const VENDOR_USAGE_AT = 0x18;
const SECURE_BOOT_AT = 0x1c;
const ROTKH_AT = 0x50;
const SEAL_AT = 0x1e0;
/** "SEAL", eight times. */
const SEAL_WORD = 0x4c414553;
const RSA4096 = 3;
const SECURE_BOOT = 3;

/** @throws `boot.bad_option` for a hash that is not 32 bytes */
export function encodeNxpCmpa({
  rootKeyTableHash,
  secureBoot,
  rsa4096Only,
  vendorUsage,
  sealed,
}: NxpCmpa): Uint8Array<ArrayBuffer> {
  if (rootKeyTableHash.length !== 32) throw new HoldfastError('boot.bad_option', { option: 'root key table hash' });
  const page = new Uint8Array(CMPA_LENGTH);
  const view = new DataView(page.buffer);
  view.setUint32(VENDOR_USAGE_AT, vendorUsage, true);
  view.setUint32(SECURE_BOOT_AT, ((secureBoot ? SECURE_BOOT << 30 : 0) | (rsa4096Only ? RSA4096 : 0)) >>> 0, true);
  page.set(rootKeyTableHash, ROTKH_AT);
  if (!sealed) return page;
  for (let at = SEAL_AT; at < CMPA_LENGTH; at += 4) view.setUint32(at, SEAL_WORD, true);
  return page;
}

/**
 * Decodes a page as a factory writes it. Any of the three non-zero values of a switch is on, as the ROM reads it.
 *
 * @throws `wire.truncated`, `wire.trailing_bytes`, `boot.bad_header` for a half-written seal
 * @see spsdk data/devices/lpc55s69/pfr_cmpa.json
 */
export function decodeNxpCmpa(bytes: Uint8Array): NxpCmpa {
  const whole = new ByteReader(bytes);
  const page = whole.take(CMPA_LENGTH, 'CMPA');
  whole.end('CMPA');
  const reader = new ByteReader(page, VENDOR_USAGE_AT);
  const vendorUsage = reader.u32le('vendor usage');
  const config = reader.u32le('secure boot');
  const seal = new ByteReader(page, SEAL_AT);
  const words = Array.from({ length: 8 }, () => seal.u32le('seal'));
  const sealed = words.every((word) => word === SEAL_WORD);
  if (!sealed && words.some((word) => word !== 0)) throw new HoldfastError('boot.bad_header', { field: 'seal' });
  return {
    rootKeyTableHash: page.subarray(ROTKH_AT, ROTKH_AT + 32),
    secureBoot: config >>> 30 !== 0,
    rsa4096Only: (config & 3) !== 0,
    vendorUsage,
    sealed,
  };
}
