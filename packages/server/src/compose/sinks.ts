import path from 'node:path';
import { openPeer, Sinks, Spool } from '../engines/sinks/index.ts';
import { SealedMessageKeys } from '../persistence/repositories/communication-keys.ts';
import { SqlSinkRecords } from '../persistence/repositories/communication-sinks.ts';
import { deviceOfSessionKey } from '../protocols/gateway/index.ts';
import type { Foundation } from './foundation.ts';

const FOLDER = 'spool';
const KEY_KIND = 'spool-key';
const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const MAX_SEGMENT_BYTES = 16 * MIB;

/**
 * What brings messages to the user's systems; undefined when no sink is configured.
 *
 * The spool is this process's own, whatever store is in use: a message is acknowledged when it is on this disk.
 */
export async function openSinks(foundation: Foundation): Promise<Sinks | undefined> {
  const { alarms, clock, closers, config, database, fields, lock, log, random, sealedRecords, tenant } = foundation;
  if (config.sinks.length === 0) return undefined;
  const { reader, store } = database;
  const maxBytes = config.sinkSpoolMib * MIB;
  const keys = new SealedMessageKeys({ fields, sealedRecords, store, clock, random, kind: KEY_KIND });
  let current: ReturnType<typeof keys.create> | undefined;
  const peers = new Map(config.sinks.map((each) => [each.name, openPeer(each, { clock, environment: process.env })]));
  const spool = await Spool.open({
    folder: path.join(lock.folder, FOLDER),
    clock,
    random,
    log,
    segmentBytes: Math.min(MAX_SEGMENT_BYTES, maxBytes / 8),
    keys: {
      current: () => {
        current ??= keys.create(tenant).catch((error: unknown) => {
          current = undefined;
          throw error;
        });
        return current;
      },
      find: async (epoch) => (await keys.find(tenant, epoch)).key,
      keepOnly: (epochs) => keys.keepOnly(tenant, epochs),
    },
  });
  const sinks = await Sinks.open(
    {
      tenant,
      spool,
      records: new SqlSinkRecords({ tenant, reader, store, fields, sealedRecords, clock }),
      peerOf: ({ name }) => peers.get(name) ?? unknownPeer(name),
      deviceOf: deviceOfSessionKey,
      alarms,
      clock,
      random,
      log,
      maxBytes,
      retentionMs: config.sinkRetentionHours * HOUR_MS,
    },
    config.sinks,
  );
  closers.add('sinks', () => sinks.close());
  return sinks;
}

function unknownPeer(name: string): never {
  throw new TypeError(`no peer ${name}`);
}
