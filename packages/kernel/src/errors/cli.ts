import type { ErrorSpec } from './error-spec.ts';

export const CLI_ERRORS = {
  'cli.usage': {
    message: 'the command line does not have the required form',
    http: 400,
    exit: 64,
    retry: false,
    next: 'holdfast --help, or --help behind the command',
  },
  'cli.file_exists': {
    message: 'a file of this name exists and is not overwritten',
    http: 409,
    exit: 65,
    retry: false,
    next: 'choose another name or move the file away',
  },
  'cli.no_terminal': {
    message: 'a secret is needed and nobody can be asked for it',
    http: 400,
    exit: 64,
    retry: false,
    next: 'name it with --passphrase file:PATH or env:NAME',
  },
  'cli.bad_profile': {
    message: 'a server elsewhere needs its https address, a certificate, a key and the roots it is verified by',
    http: 400,
    exit: 64,
    retry: false,
    next: 'name a profile written by: holdfast identity operator create, or give --server, --cert, --key and --ca',
  },
  'cli.file_unusable': {
    message: 'the file cannot be read or written',
    http: 500,
    exit: 66,
    retry: false,
    next: 'check that the path exists and that you may use it',
  },
  'cli.folder_not_empty': {
    message: 'the demo needs a folder of its own, and this one holds something',
    http: 409,
    exit: 65,
    retry: false,
    next: 'name a folder that does not exist, or leave --data out',
  },
  'cli.demo_firmware_missing': {
    message: 'the firmware the demo plays with is not installed',
    http: 404,
    exit: 66,
    retry: false,
    next: 'npm ci (with development dependencies), then npm run demo again',
  },
  'cli.demo_timeout': {
    message: 'something that has to happen in the demo did not',
    http: 504,
    exit: 75,
    retry: true,
    next: 'try again on a machine with less load; if it repeats, report it with what the line names',
  },
  'cli.server_not_started': {
    message: 'the server of the demo did not start',
    http: 503,
    exit: 69,
    retry: true,
    next: 'holdfast doctor names what is wrong',
  },
  'cli.device_in_use': {
    message: 'another process runs this device',
    http: 409,
    exit: 75,
    retry: true,
    next: 'stop the other holdfast device run, or name another --folder',
  },
} as const satisfies Record<string, ErrorSpec>;
