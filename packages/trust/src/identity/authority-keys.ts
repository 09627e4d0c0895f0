import type { Signer } from '@holdfast/crypto';
import type { Write } from '../ports/index.ts';

/** Where the keys of authorities are: sealed in the store, in a token, or in a service. */
export interface AuthorityKeys {
  /** Makes a P-256 key; it exists once the writes are committed. */
  creating(keyId: string): Promise<{ readonly signer: Signer; readonly writes: readonly Write[] }>;
  /** Undefined when the key is not here, as a root's after its ceremony. */
  signer(keyId: string): Promise<Signer | undefined>;
}
