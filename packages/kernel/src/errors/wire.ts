import type { ErrorSpec } from './error-spec.ts';

/** What decoders throw. Details name the field and the offset, never the value of a secret. */
export const WIRE_ERRORS = {
  'wire.truncated': {
    message: 'the bytes end before the format does',
    http: 400,
    exit: 65,
    retry: false,
    next: 'check that the whole file or message arrived',
  },
  'wire.trailing_bytes': {
    message: 'there are bytes after the end of the format',
    http: 400,
    exit: 65,
    retry: false,
    next: 'remove what follows the encoded value',
  },
  'wire.malformed': {
    message: 'the bytes do not follow the format',
    http: 400,
    exit: 65,
    retry: false,
    next: 'look at the named field and offset',
  },
  'wire.unsupported': {
    message: 'the format is known but this variant of it is not supported',
    http: 400,
    exit: 65,
    retry: false,
    next: 'use a supported variant',
  },
  'wire.too_large': {
    message: 'a length or count exceeds the stated limit',
    http: 400,
    exit: 65,
    retry: false,
    next: 'look at the named field and its limit',
  },
  'wire.duplicate': {
    message: 'an element that must be unique appears twice',
    http: 400,
    exit: 65,
    retry: false,
    next: 'remove the duplicate',
  },
} as const satisfies Record<string, ErrorSpec>;
