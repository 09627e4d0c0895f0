import type { KeyOwner, ManufacturerRecord } from '../ports/index.ts';
import type { PolicyRule } from './enrollment-policy.ts';

/** What is known of a certificate nobody registered, after TLS proved its key and the path its issuer. */
export interface JitFacts {
  readonly manufacturer: ManufacturerRecord;
  readonly isAuthority: boolean;
  readonly owner: KeyOwner | undefined;
}

/** Before the registration rules of every door; weak keys, dates and constraints are path validation's. */
export const JIT_RULES: readonly PolicyRule<JitFacts>[] = [
  {
    rule: 'authority-active',
    attack: 'an authority goes on after its maker was let go',
    code: 'identity.manufacturer_inactive',
    audit: 'enrollment.refused',
    broken: ({ manufacturer }) => manufacturer.state !== 'active',
  },
  {
    rule: 'no-authority',
    attack: 'an authority under a registered one comes as a device',
    code: 'identity.ca_requested',
    audit: 'enrollment.refused',
    broken: ({ isAuthority }) => isAuthority,
  },
  {
    rule: 'key-has-one-owner',
    attack: 'the key of a device, a blocked device, a claim or an authority in another certificate',
    code: 'identity.key_reuse',
    audit: 'key.reuse',
    broken: ({ owner }) => owner !== undefined,
  },
];
