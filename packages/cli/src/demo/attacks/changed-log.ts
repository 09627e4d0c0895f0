import type { AuditVerdict } from '@holdfast/api';
import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '@holdfast/kernel';
import { withDatabase } from '../database.ts';
import { findingOf, type Trial } from '../trial.ts';

interface Flip {
  readonly sequence: number;
  readonly subject: string;
}

export const CHANGED_LOG: Trial = {
  name: 'changed-log',
  title: 'one byte of the audit log is changed in the database',
  expected: 'audit verify names that very entry',
  async perform({ client, server }) {
    const verify = async (): Promise<string> => wordsOf(await client.call('audit.verify', {}));
    const before = await verify();
    const { sequence, subject } = withDatabase(server.dataFolder, flipByte);
    const during = await verify();
    // The rest of the demo is to be read in a log that is whole.
    withDatabase(server.dataFolder, (database) => write(database, { sequence, subject }));
    const after = await verify();
    return findingOf([
      ['before', before, before.startsWith('intact')],
      [`entry ${sequence} changed`, during, during === `broken at ${sequence}`],
      ['put back', after, after.startsWith('intact')],
    ]);
  },
};

/** Changes the lowest bit of one byte in the middle of the log. @returns what stood there */
function flipByte(database: DatabaseSync): Flip {
  const middle =
    'SELECT sequence, subject FROM audit_entries ORDER BY sequence LIMIT 1 OFFSET (SELECT COUNT(*)/2 FROM audit_entries)';
  const row = database.prepare(middle).get();
  if (row === undefined) throw new HoldfastError('request.not_found', { what: 'audit entry' });
  const kept = { sequence: Number(row['sequence']), subject: String(row['subject']) };
  const bytes = Buffer.from(kept.subject);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  write(database, { ...kept, subject: bytes.toString() });
  return kept;
}

function write(database: DatabaseSync, { sequence, subject }: Flip): void {
  database.prepare('UPDATE audit_entries SET subject = ? WHERE sequence = ?').run(subject, sequence);
}

function wordsOf(verdict: AuditVerdict): string {
  return verdict.kind === 'broken' ? `broken at ${verdict.firstBad.sequence}` : `intact, ${verdict.entries} entries`;
}
