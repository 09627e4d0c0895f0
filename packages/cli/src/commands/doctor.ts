import { existsSync } from 'node:fs';
import { systemClock } from '@holdfast/kernel';
import { examine, type Finding } from '@holdfast/server/doctor';
import type { Command } from 'commander';
import { createLocalClient, socketPathOf } from '../connection/local-client.ts';
import { AnswerIsNo } from '../output/failure.ts';
import type { CommandIo } from '../output/io.ts';
import { formatJson, formatTable } from '../output/table.ts';
import { addConfigOptions, configFromOptions } from './config.ts';

export function registerDoctor(noun: Command, io: CommandIo): void {
  addConfigOptions(noun)
    .option('--json', 'one JSON document')
    .action(async (options: Record<string, unknown>) => {
      const { config } = configFromOptions(options, io);
      const server = await examineServer(config.data);
      const findings = [
        ...(await examine({ config, clock: systemClock, serverRuns: server[0]?.verdict === 'ok' })),
        ...server,
      ];
      io.out(
        options['json'] === true
          ? formatJson(findings)
          : formatTable(
              findings,
              [
                { title: 'CHECK', value: (row) => row.check },
                { title: 'VERDICT', value: (row) => row.verdict },
                { title: 'FOUND', value: (row) => row.words },
                { title: 'NEXT', value: (row) => row.next ?? '' },
              ],
              io,
            ),
      );
      if (findings.some(({ verdict }) => verdict === 'problem')) throw new AnswerIsNo();
    });
}

async function examineServer(folder: string): Promise<readonly Finding[]> {
  const check = 'server';
  if (!existsSync(socketPathOf(folder))) {
    return [{ check, verdict: 'warning', words: 'not running', next: 'holdfast up' }];
  }
  try {
    const status = await createLocalClient(folder).call('status.show', {});
    const [warning] = status.warnings;
    const words = warning === undefined ? `, ${status.counts.connected} devices connected` : `; ${warning.words}`;
    const keys = status.warnings.filter(({ code }) => code.startsWith('storage.key_engine ')).map(keyFinding);
    return [{ check, verdict: 'ok', words: `answers${words}` }, rootFinding(status.rootKeyOnline), ...keys];
  } catch {
    return [{ check, verdict: 'warning', words: 'not running, it was ended without a goodbye', next: 'holdfast up' }];
  }
}

function keyFinding({ words }: { readonly words: string }): Finding {
  const next = 'bring the token or the key service back; nothing here has to be restarted: docs/guides/hsm-and-kms.md';
  return { check: 'key engine', verdict: 'problem', words, next };
}

function rootFinding(isOnline: boolean): Finding {
  const check = 'authority root';
  return isOnline
    ? {
        check,
        verdict: 'warning',
        words: 'root key online: who takes over this machine can make any identity',
        next: 'move it away: holdfast identity ca ceremony --help, docs/guides/ca-ceremony.md',
      }
    : { check, verdict: 'ok', words: 'root key offline' };
}
