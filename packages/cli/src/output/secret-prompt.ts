import { HoldfastError } from '@holdfast/kernel';
import type { CommandIo } from './io.ts';

const ENTER = new Set(['\r', '\n', '\u0004']);
const INTERRUPT = '\u0003';
const ERASE = new Set(['\u007f', '\b']);

/** Asks on a terminal without showing what is typed. @throws `cli.no_terminal` when nobody can be asked */
export function askSecret(question: string, io: CommandIo): Promise<string> {
  const { stdin } = process;
  if (!io.inIsTerminal) return Promise.reject(new HoldfastError('cli.no_terminal'));
  io.err(question);
  return new Promise((resolve, reject) => {
    let text = '';
    const finish = (end: () => void) => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      io.err('\n');
      end();
    };
    const take = (chunk: Buffer) => {
      for (const character of chunk.toString('utf8')) {
        if (ENTER.has(character)) return finish(() => resolve(text));
        if (character === INTERRUPT) return finish(() => reject(new HoldfastError('cli.no_terminal')));
        text = ERASE.has(character) ? text.slice(0, -1) : text + character;
      }
    };
    stdin.setRawMode(true);
    stdin.resume();
    stdin.on('data', take);
  });
}
