import type { RunningServer } from '@holdfast/server';
import type { CommandIo } from './io.ts';

/** What a person needs after a start: where everything is, how a browser trusts it, and the next step. */
export async function banner(server: RunningServer, io: CommandIo): Promise<string> {
  const { status, dataFolder, rootCertificatePath } = server;
  const { listeners, rootFingerprint, rootKeyOnline, warnings } = await status();
  const lines = [
    'Holdfast is up.',
    '',
    ...listeners.map(({ name, address, port }) => `  ${name.padEnd(12)} ${address}:${port}`),
    '',
    `  data         ${dataFolder}`,
    `  root CA      ${rootCertificatePath}`,
    `  SHA-256      ${rootFingerprint.toUpperCase().match(/../g)?.join(':')}`,
    '',
    '  Your browser will warn until it trusts this root: compare the fingerprint, then import the file above.',
    ...(rootKeyOnline ? ['  root key online: it lies sealed on this machine until a ceremony moves it away.'] : []),
    ...warnings.map(({ words }) => `  warning: ${words}`),
    '',
    // Whoever reads a log file later must not find a way in: the link goes to a person at a terminal only.
    io.errIsTerminal
      ? `  console      ${server.mintConsoleLink().url}\n               works once, for ten minutes; another: holdfast console link`
      : '  console      holdfast console link prints a one-time address',
    '',
    '  next step:   npm run demo',
    '',
  ];
  return `${lines.join('\n')}\n`;
}
