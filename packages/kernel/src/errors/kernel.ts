import type { ErrorSpec } from './error-spec.ts';

export const KERNEL_ERRORS = {
  'kernel.internal': {
    message: 'something failed that should not have',
    http: 500,
    exit: 70,
    retry: false,
    next: 'report it with the log lines around it',
  },
  'kernel.aborted': {
    message: 'the work was stopped before it ended',
    http: 503,
    exit: 130,
    retry: true,
    next: 'start it again',
  },
  'kernel.invalid_transition': {
    message: 'the state does not allow this event',
    http: 409,
    exit: 65,
    retry: false,
    next: 'look at the current state first',
  },
  'request.invalid': {
    message: 'the request does not have the required form',
    http: 400,
    exit: 64,
    retry: false,
    next: 'compare it with the documented form',
  },
  'request.too_large': {
    message: 'the request is larger than the limit',
    http: 413,
    exit: 65,
    retry: false,
    next: 'send less, or raise the limit in the configuration',
  },
  'request.not_found': {
    message: 'there is nothing at this address',
    http: 404,
    exit: 66,
    retry: false,
    next: 'list what exists',
  },
  'request.forbidden': {
    message: 'this principal may not do that',
    http: 403,
    exit: 77,
    retry: false,
    next: 'use a principal whose role allows it',
  },
  'request.unauthenticated': {
    message: 'no valid credential came with the request',
    http: 401,
    exit: 77,
    retry: false,
    next: 'open a new console link with: holdfast console link',
  },
} as const satisfies Record<string, ErrorSpec>;
