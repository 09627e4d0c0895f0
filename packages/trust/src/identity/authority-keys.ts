import type { Signer } from '@holdfast/crypto';
import type { AuditActor, Tenant, Write } from '../ports/index.ts';

/** Where the keys of authorities are: sealed in the store, in a token, or in a service. */
export interface AuthorityKeys {
  /** Makes or finds a P-256 key for one authority; it is taken in once the writes are committed. */
  creating(wish: {
    readonly profile: 'root' | 'issuing';
    readonly tenant: Tenant;
    readonly keyId: string;
    readonly actor: AuditActor;
  }): Promise<{ readonly signer: Signer; readonly writes: readonly Write[] }>;
  /** Undefined when the key is not here, as a root's after its ceremony. */
  signer(tenant: Tenant, keyId: string): Promise<Signer | undefined>;
  /** Erases the private key for good, with an entry in the log. */
  destroy(wish: { readonly tenant: Tenant; readonly keyId: string; readonly actor: AuditActor }): Promise<void>;
}
