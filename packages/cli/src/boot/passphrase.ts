import { HoldfastError } from '@holdfast/kernel';
import { readBytes } from './files.ts';

/**
 * Reads a passphrase from `env:NAME` or `file:PATH`; never from the command line, which others on the machine can read.
 *
 * @throws `boot.bad_option` for another form or an unset variable; `cli.file_unusable`
 */
export function readPassphrase(
  reference: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (reference === undefined) return undefined;
  const at = reference.indexOf(':');
  const [kind, name] = [reference.slice(0, at), reference.slice(at + 1)];
  if (kind === 'file') return new TextDecoder().decode(readBytes(name)).replace(/\r?\n$/, '');
  const value = kind === 'env' ? environment[name] : undefined;
  if (value === undefined) throw new HoldfastError('boot.bad_option', { option: 'passphrase' });
  return value;
}
