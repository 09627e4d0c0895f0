import { createCipheriv, createDecipheriv } from 'node:crypto';
import { HoldfastError } from '@holdfast/kernel';
import { sha256 } from '../primitives/hash.ts';

/** Where and how a range of flash is encrypted. */
export interface FlashEncryption {
  /** `esp32`: AES-256 with a tweaked key; `xts`: all later chips. */
  readonly scheme: 'esp32' | 'xts';
  /** 32 bytes; for XTS also 64 (XTS-AES-256) or 16 (ESP32-C2, whose key is hashed to 32). */
  readonly key: Uint8Array;
  /** Flash address of the first byte, a multiple of 16. */
  readonly address: number;
  /** FLASH_CRYPT_CONFIG of the ESP32: which quarters of the key are tweaked. Default 15. */
  readonly cryptConfig?: number;
}

const BLOCK = 16;
const XTS_UNIT = 128;
const MAX_ADDRESS = 0x1_0000_0000;

/**
 * Encrypts bytes as the flash controller will decrypt them.
 *
 * @param plain - a multiple of 16 bytes.
 * @throws `boot.bad_option` for an address, length, key or configuration outside the rules.
 * @see ESP-IDF docs/en/security/flash-encryption.rst
 */
export function encryptFlash(plain: Uint8Array, options: FlashEncryption): Uint8Array<ArrayBuffer> {
  return transform(plain, options, 'encrypt');
}

/** The reverse of {@link encryptFlash}; there is no authentication to fail. @throws `boot.bad_option` */
export function decryptFlash(encrypted: Uint8Array, options: FlashEncryption): Uint8Array<ArrayBuffer> {
  return transform(encrypted, options, 'decrypt');
}

type Direction = 'encrypt' | 'decrypt';

function transform(bytes: Uint8Array, options: FlashEncryption, direction: Direction): Uint8Array<ArrayBuffer> {
  const { address, scheme, key, cryptConfig = 0xf } = options;
  const fits =
    Number.isInteger(address) && address >= 0 && address % BLOCK === 0 && address + bytes.length <= MAX_ADDRESS;
  if (!fits) throw new HoldfastError('boot.bad_option', { option: 'address', address });
  if (bytes.length === 0 || bytes.length % BLOCK !== 0)
    throw new HoldfastError('boot.bad_option', { option: 'length', size: bytes.length });
  if (scheme === 'xts') return transformXts(bytes, xtsKey(key), address, direction);
  if (key.length !== 32) throw new HoldfastError('boot.bad_option', { option: 'key', size: key.length });
  if (!Number.isInteger(cryptConfig) || cryptConfig < 0 || cryptConfig > 0xf) {
    throw new HoldfastError('boot.bad_option', { option: 'flash-crypt-conf', limit: 0xf });
  }
  return transformTweaked(bytes, { key, address, cryptConfig }, direction);
}

function xtsKey(key: Uint8Array): Uint8Array {
  if (key.length === 16) return sha256(key);
  if (key.length !== 32 && key.length !== 64)
    throw new HoldfastError('boot.bad_option', { option: 'key', size: key.length });
  return key;
}

/** Units of 128 bytes at multiples of 128, each reversed before and after XTS; a partial unit is filled up. */
function transformXts(
  bytes: Uint8Array,
  key: Uint8Array,
  address: number,
  direction: Direction,
): Uint8Array<ArrayBuffer> {
  const cipher = key.length === 32 ? 'aes-128-xts' : 'aes-256-xts';
  const result = new Uint8Array(bytes.length);
  const unit = new Uint8Array(XTS_UNIT);
  const tweak = new Uint8Array(BLOCK);
  const view = new DataView(tweak.buffer);
  for (let at = address - (address % XTS_UNIT); at < address + bytes.length; at += XTS_UNIT) {
    const from = Math.max(at, address);
    const to = Math.min(at + XTS_UNIT, address + bytes.length);
    unit.fill(0).set(bytes.subarray(from - address, to - address), from - at);
    view.setUint32(0, at, true);
    const make = direction === 'encrypt' ? createCipheriv : createDecipheriv;
    const done = make(cipher, key, tweak).update(unit.toReversed()).toReversed();
    result.set(done.subarray(from - at, to - at), from - address);
  }
  return result;
}

/**
 * Which bit of the address each key bit is XORed with, most significant key bit first, and the quarters of the key that
 * FLASH_CRYPT_CONFIG switches on.
 */
const TWEAK_GROUPS = [14, 12, 10, 8].map((last) => [
  ...Array.from({ length: 3 }, () => bitsDown(23)).flat(),
  ...bitsDown(last),
]);

function bitsDown(from: number): number[] {
  return Array.from({ length: from - 4 }, (_, index) => from - index);
}

interface TweakedKey {
  readonly key: Uint8Array;
  readonly address: number;
  readonly cryptConfig: number;
}

/** The chip decrypts by AES encryption, each block reversed, with a key of its own for every 32 bytes. */
function transformTweaked(bytes: Uint8Array, tweaked: TweakedKey, direction: Direction): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(bytes.length);
  const make = direction === 'encrypt' ? createDecipheriv : createCipheriv;
  let [keyAt, key] = [-1, tweaked.key];
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const address = tweaked.address + at;
    if (address - (address % 32) !== keyAt) {
      keyAt = address - (address % 32);
      key = tweakKey(tweaked, keyAt);
    }
    const cipher = make('aes-256-ecb', key, null).setAutoPadding(false);
    result.set(cipher.update(bytes.subarray(at, at + BLOCK).toReversed()).toReversed(), at);
  }
  return result;
}

function tweakKey({ key, cryptConfig }: TweakedKey, address: number): Uint8Array {
  const tweakedKey = Uint8Array.from(key);
  let bit = 0;
  for (const [group, addressBits] of TWEAK_GROUPS.entries()) {
    for (const addressBit of addressBits) {
      const flips = ((cryptConfig >> group) & 1) === 1 && ((address >>> addressBit) & 1) === 1;
      if (flips) tweakedKey[bit >> 3] = (tweakedKey[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
      bit += 1;
    }
  }
  return tweakedKey;
}
