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
} as const satisfies Record<string, ErrorSpec>;
