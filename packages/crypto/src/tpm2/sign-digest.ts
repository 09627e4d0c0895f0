import { createECDH } from 'node:crypto';
import { decodeBase64Url, encodeHex, HoldfastError, type Random } from '@holdfast/kernel';
import type { PrivateKey } from '../keys/private-key.ts';
import { leftPad } from './names.ts';

/** Order of P-256 (SEC 2, 2.4.2). */
const ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

/**
 * ECDSA P-256 over a digest made elsewhere (FIPS 186-5 6.4), which node:crypto does not offer. For the simulated TPM
 * alone: its arithmetic takes a time that depends on the key.
 *
 * @param digest - 32 bytes
 */
export function signP256Digest(key: PrivateKey, digest: Uint8Array, random: Random): { r: Uint8Array; s: Uint8Array } {
  const { d } = key.keyObject.export({ format: 'jwk' });
  if (d === undefined) throw new HoldfastError('crypto.bad_key', { field: 'd' });
  const secret = numberOf(decodeBase64Url(d));
  for (;;) {
    const nonce = random.bytes(32);
    const k = numberOf(nonce);
    if (k === 0n || k >= ORDER) continue;
    const ecdh = createECDH('prime256v1');
    ecdh.setPrivateKey(nonce);
    const r = numberOf(ecdh.getPublicKey().subarray(1, 33)) % ORDER;
    const s = (power(k, ORDER - 2n) * (numberOf(digest) + r * secret)) % ORDER;
    if (r !== 0n && s !== 0n) return { r: bytesOf(r), s: bytesOf(s) };
  }
}

/** Fermat: k to the order minus two is its inverse. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = base % ORDER, e = exponent; e > 0n; e >>= 1n, b = (b * b) % ORDER)
    if (e & 1n) result = (result * b) % ORDER;
  return result;
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${encodeHex(bytes)}`);
}

function bytesOf(value: bigint): Uint8Array {
  const hex = value.toString(16);
  return leftPad(Uint8Array.from(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')), 32);
}
