import { ByteWriter, concatBytes, encodeUtf8 } from '@holdfast/kernel';
import { type HashAlgorithm, digest, HASH_LENGTHS, hmac } from '../primitives/hash.ts';

interface KdfaInput {
  readonly hash: HashAlgorithm;
  readonly key: Uint8Array;
  readonly label: string;
  readonly context: Uint8Array;
  readonly bits: number;
}

/** KDFa: SP 800-108 in counter mode with HMAC (TPM 2.0 part 1, 11.4.10.2). */
export function kdfa({ hash, key, label, context, bits }: KdfaInput): Uint8Array {
  const tail = concatBytes(encodeUtf8(`${label}\0`), context, u32(bits));
  return collect(hash, bits, (counter) => hmac(hash, key, concatBytes(u32(counter), tail)));
}

interface KdfeInput {
  readonly hash: HashAlgorithm;
  readonly secret: Uint8Array;
  readonly label: string;
  /** x coordinates of the ephemeral and of the static key. */
  readonly parties: readonly [Uint8Array, Uint8Array];
  readonly bits: number;
}

/** KDFe: SP 800-56A concatenation KDF (TPM 2.0 part 1, 11.4.10.3). */
export function kdfe({ hash, secret, label, parties, bits }: KdfeInput): Uint8Array {
  const tail = concatBytes(secret, encodeUtf8(`${label}\0`), ...parties);
  return collect(hash, bits, (counter) => digest(hash, concatBytes(u32(counter), tail)));
}

function collect(hash: HashAlgorithm, bits: number, block: (counter: number) => Uint8Array): Uint8Array {
  const length = bits / 8;
  const blocks = Math.ceil(length / HASH_LENGTHS[hash]);
  return concatBytes(...Array.from({ length: blocks }, (_, at) => block(at + 1))).subarray(0, length);
}

function u32(value: number): Uint8Array {
  return new ByteWriter(16).u32be(value).finish();
}
