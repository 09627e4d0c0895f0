import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { addVerb } from './verb.ts';

export function registerConsole(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'link',
    words: 'mint a link that opens the console once within ten minutes',
    operation: 'console.link',
    input: () => ({}),
    print: ({ url }) => `${url}\n`,
  });
}
