import type { ErrorSpec } from './error-spec.ts';

export const CRYPTO_ERRORS = {
  'crypto.bad_key': {
    message: 'the key cannot be used',
    http: 400,
    exit: 65,
    retry: false,
    next: 'use a key of a supported kind and size',
  },
  'crypto.weak_key': {
    message: 'the key is too weak or of a kind that policy does not allow',
    http: 400,
    exit: 65,
    retry: false,
    next: 'use an EC P-256 key, or RSA of 2048 bits or more',
  },
  'crypto.bad_signature': {
    message: 'the signature does not match',
    http: 400,
    exit: 1,
    retry: false,
    next: 'check which key signed and that the bytes are unchanged',
  },
  'crypto.open_failed': {
    message: 'the sealed bytes cannot be opened in this place',
    http: 500,
    exit: 65,
    retry: false,
    next: 'check that the record was not moved, altered or rolled back, and that the root key is the right one',
  },
  'crypto.unsupported_algorithm': {
    message: 'the algorithm is not one that policy allows',
    http: 400,
    exit: 65,
    retry: false,
    next: 'use ECDSA P-256 with SHA-256, Ed25519, or RSA with SHA-256',
  },
  'crypto.unknown_key': {
    message: 'the key that sealed these bytes is not in the keyring',
    http: 500,
    exit: 65,
    retry: false,
    next: 'restore the keyring that holds the named key version',
  },
  'crypto.issue_refused': {
    message: 'what was to be issued breaks a rule of its profile',
    http: 400,
    exit: 65,
    retry: false,
    next: 'look at the named field',
  },
} as const satisfies Record<string, ErrorSpec>;
