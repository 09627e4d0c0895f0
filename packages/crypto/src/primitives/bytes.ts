import { createSecretKey, type KeyObject } from 'node:crypto';

/** The same memory as a plain Uint8Array, so that no Buffer method or comparison leaks out of this package. */
export function plainBytes(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength);
}

/** A key as OpenSSL takes it. Of plain bytes Node finds out by two exceptions that they are no key object: 7 µs a use. */
export function secretKey(bytes: Uint8Array): KeyObject {
  return createSecretKey(bytes);
}
