import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  contextPrimitive,
  decodeDer,
  encodeInteger,
  encodeOctetString,
  encodeSequence,
} from '../asn1/index.ts';
import { type AlgorithmIdentifier, readAlgorithm } from './algorithm.ts';

/** PrivateKeyInfo (RFC 5958, RFC 5208); `key` is the content of the OCTET STRING. */
export interface PrivateKeyInfo {
  readonly algorithm: AlgorithmIdentifier;
  readonly key: Uint8Array;
}

/** @throws `wire.malformed` and the like; `wire.too_large` over 16 KiB. */
export function decodePrivateKeyInfo(bytes: Uint8Array): PrivateKeyInfo {
  if (bytes.length > 16 * 1024)
    throw new HoldfastError('wire.too_large', { field: 'privateKeyInfo', limit: 16 * 1024 });
  return decodeDer(bytes, 'privateKeyInfo', (whole) => {
    const reader = whole.sequence('privateKeyInfo');
    reader.uint('version', 1);
    const algorithm = readAlgorithm(reader, 'privateKeyAlgorithm');
    const key = reader.octetString('privateKey');
    if (reader.peekTag() === contextConstructed(0)) reader.any('attributes');
    if (reader.peekTag() === contextPrimitive(1)) reader.bitString('publicKey', contextPrimitive(1));
    reader.end('privateKeyInfo');
    return { algorithm, key };
  });
}

/** Version 0 PrivateKeyInfo around an algorithm's own key encoding. */
export function encodePrivateKeyInfo(algorithm: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeSequence(encodeInteger(0), algorithm, encodeOctetString(key));
}

/** AsymmetricKeyPackage of whole PrivateKeyInfos (RFC 5958 section 2). */
export function encodeAsymmetricKeyPackage(keys: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return encodeSequence(...keys);
}
