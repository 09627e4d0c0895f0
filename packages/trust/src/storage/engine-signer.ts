import {
  algorithmFits,
  defaultAlgorithm,
  importPublicKey,
  type SignatureAlgorithm,
  type Signer,
  verifySignatureAsync,
} from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import type { KeyEngine } from '../ports/index.ts';

export interface EngineKey {
  readonly reference: string;
  /** What the key was when it was taken in. */
  readonly publicKeySpki: Uint8Array;
}

/**
 * Signs with a key that lies in a token or a service.
 *
 * Every signature is verified before it is given out: another key under the same name, or a token that computes wrongly,
 * would otherwise sign what nobody can believe.
 *
 * @throws `crypto.unsupported_algorithm` when key and algorithm do not fit; `crypto.weak_key`
 */
export function createEngineSigner(engine: KeyEngine, key: EngineKey, wish?: SignatureAlgorithm): Signer {
  const { reference, publicKeySpki } = key;
  const publicKey = importPublicKey(publicKeySpki);
  const algorithm = wish ?? defaultAlgorithm(publicKey.kind);
  if (!algorithmFits(algorithm, publicKey.kind)) throw new HoldfastError('crypto.unsupported_algorithm', { algorithm });
  return {
    algorithm,
    publicKeySpki,
    async sign(bytes) {
      const signature = await engine.sign({ reference, algorithm, bytes });
      if (await verifySignatureAsync(algorithm, publicKey, bytes, signature)) return signature;
      throw new HoldfastError('storage.key_unavailable', { reason: 'another_key' });
    },
  };
}
