import type { ErrorSpec } from './error-spec.ts';

export const SERVER_ERRORS = {
  'server.bad_config': {
    message: 'a setting is unknown or out of range',
    http: 500,
    exit: 78,
    retry: false,
    next: 'look at the named field, or run holdfast config explain',
  },
  'server.port_taken': {
    message: 'another process listens on this port',
    http: 500,
    exit: 69,
    retry: true,
    next: 'stop the other process or choose another port with --port-…',
  },
  'server.folder_unusable': {
    message: 'the data folder cannot be used',
    http: 500,
    exit: 78,
    retry: false,
    next: 'make it writable for this user and for nobody else, or choose another with --data',
  },
  'server.unreachable': {
    message: 'no Holdfast server answers here',
    http: 503,
    exit: 69,
    retry: true,
    next: 'start one with holdfast up, or name its folder with --data',
  },
} as const satisfies Record<string, ErrorSpec>;
