import { sign } from 'node:crypto';
import { HoldfastError } from '@holdfast/kernel';
import { plainBytes } from '../primitives/bytes.ts';
import { algorithmFits, algorithmRow, defaultAlgorithm, type SignatureAlgorithm } from './algorithms.ts';
import type { PrivateKey } from './private-key.ts';
import { schemeOptions } from './verify.ts';

/** Someone who can sign: a key in memory, in a token, or in a service. */
export interface Signer {
  readonly algorithm: SignatureAlgorithm;
  readonly publicKeySpki: Uint8Array;
  /** Signs `bytes` whole (hashing is the signer's). ECDSA comes as SEQUENCE { r, s }; `ecdsaFromDer` makes the other form. */
  sign(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}

/** Signs with a key in memory, on the thread pool. @throws `crypto.unsupported_algorithm` when key and algorithm do not fit. */
export function createSigner(key: PrivateKey, algorithm = defaultAlgorithm(key.publicKey.kind)): Signer {
  if (!algorithmFits(algorithm, key.publicKey.kind)) {
    throw new HoldfastError('crypto.unsupported_algorithm', { algorithm });
  }
  const { hash } = algorithmRow(algorithm);
  const input = schemeOptions(algorithm, key.keyObject, 'der');
  return {
    algorithm,
    publicKeySpki: key.publicKey.spki,
    sign: (bytes) =>
      new Promise((resolve, reject) => {
        sign(hash, bytes, input, (error, signature) => {
          if (error === null) resolve(plainBytes(signature));
          else reject(new HoldfastError('crypto.bad_key', {}, { cause: error }));
        });
      }),
  };
}
