import { Command, CommanderError } from 'commander';
import type { CommandIo } from './output/io.ts';

/** Adds options, operands, verbs and the action to the command of one noun. */
type RegisterNoun = (noun: Command, io: CommandIo) => void;

interface Noun {
  readonly name: string;
  readonly words: string;
  /** Loaded only when the noun is used: most commands never need the server's code. */
  readonly load: () => Promise<RegisterNoun>;
}

const NOUNS: readonly Noun[] = [
  { name: 'up', words: 'start the server', load: async () => (await import('./commands/up.ts')).registerUp },
  {
    name: 'demo',
    words: 'play the whole story, and thirteen attacks, on a server of its own',
    load: async () => (await import('./commands/demo.ts')).registerDemo,
  },
  {
    name: 'device',
    words: 'virtual devices; shadows of any device',
    load: async () => (await import('./commands/device.ts')).registerDevice,
  },
  { name: 'status', words: 'what runs here', load: async () => (await import('./commands/status.ts')).registerStatus },
  {
    name: 'doctor',
    words: 'name what is wrong and the next step',
    load: async () => (await import('./commands/doctor.ts')).registerDoctor,
  },
  {
    name: 'config',
    words: 'explain every setting and where it came from',
    load: async () => (await import('./commands/config.ts')).registerConfig,
  },
  {
    name: 'console',
    words: 'open the console in a browser',
    load: async () => (await import('./commands/console.ts')).registerConsole,
  },
  {
    name: 'identity',
    words: 'devices, claims and certificates',
    load: async () => (await import('./commands/identity.ts')).registerIdentity,
  },
  {
    name: 'product',
    words: 'product lines: image keys and firmware policy',
    load: async () => (await import('./commands/product.ts')).registerProducts,
  },
  {
    name: 'boot',
    words: 'sign, verify and inspect firmware images, offline',
    load: async () => (await import('./boot/index.ts')).registerBoot,
  },
  {
    name: 'communication',
    words: 'who may say what: policies, and why',
    load: async () => (await import('./commands/communication.ts')).registerCommunication,
  },
  {
    name: 'posture',
    words: 'what devices have proven',
    load: async () => (await import('./commands/posture.ts')).registerPosture,
  },
  {
    name: 'update',
    words: 'releases and rollouts',
    load: async () => (await import('./commands/update.ts')).registerUpdate,
  },
  {
    name: 'audit',
    words: 'the tamper-evident log',
    load: async () => (await import('./commands/audit.ts')).registerAudit,
  },
];

/** The `holdfast` program for these arguments. Usage errors are thrown as CommanderError, all others as they are. */
export async function buildProgram(args: readonly string[], io: CommandIo): Promise<Command> {
  const program = new Command('holdfast')
    .description('The trust plane of a connected product.')
    .version('0.1.0')
    // Without this `boot sign --version 1.2.3` would print the program's own version.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err, outputError: usageError('holdfast --help') });
  const used = args[0] === 'help' ? args[1] : args[0];
  for (const { name, words, load } of NOUNS) {
    const noun = program
      .command(name)
      .description(words)
      .configureOutput({ outputError: usageError(`holdfast ${name} --help`) });
    if (name === used) (await load())(noun, io);
  }
  return program;
}

/** Words commander's complaint as every other error line: its stable code and one next step. */
function usageError(next: string): (text: string, write: (text: string) => void) => void {
  return (text, write) =>
    write(
      `holdfast: ${text
        .trim()
        .replace(/^error: /, '')
        .replaceAll('\n', ' ')} [cli.usage] next: ${next}\n`,
    );
}

export function isUsageError(error: unknown): error is CommanderError {
  return error instanceof CommanderError;
}
