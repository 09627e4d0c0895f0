import type { Status } from '@holdfast/api';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { formatFacts, formatJson } from '../output/table.ts';
import { addConnectionOptions, clientFrom, type GivenOptions } from './verb.ts';

export function registerStatus(noun: Command, io: CommandIo): void {
  addConnectionOptions(noun)
    .option('--json', 'one JSON document')
    .action(async (options: GivenOptions) => {
      const status = await clientFrom(options, io).call('status.show', {});
      if (options['json'] === true) {
        io.out(formatJson(status));
        return;
      }
      io.out(
        formatFacts(
          [
            ['version', status.version],
            ['since', status.startedAt],
            ['root certificate', status.rootFingerprint],
            ['root key', status.rootKeyOnline ? 'online' : 'offline'],
            ['release root', `${status.releaseRoot.threshold}-of-${status.releaseRoot.keys}`],
            ...status.listeners.map(({ name, address, port }) => [name, `${address}:${port}`] as const),
            ['devices connected', status.counts.connected],
            ['sessions', status.counts.sessions],
            ...nodesOf(status),
            ...status.warnings.map(({ words }) => ['warning', words] as const),
          ],
          io,
        ),
      );
    });
}

/** The servers on the same store, as far as there are others. */
function nodesOf({ cluster }: Status): readonly (readonly [string, string])[] {
  if (cluster === undefined) return [];
  const nodes = cluster.nodes.map(({ leads, name, self, startedAt }) => {
    const marks = [...(self ? ['this one'] : []), ...(leads ? ['leads'] : [])];
    return ['node', `${name} since ${startedAt}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}`] as const;
  });
  return [['bus', cluster.busUp ? 'up' : 'down'], ...nodes];
}
