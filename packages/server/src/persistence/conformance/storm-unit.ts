import type { Write } from '@holdfast/trust/ports';
import type { OpenStore } from '../open-store.ts';
import { query } from '../schema.ts';
import { compileWrite } from '../write.ts';

/** A unit that leaves four marks of one number: two rows, an event and an audit entry. */
export function stormUnit({ outbox, audit }: Pick<OpenStore, 'outbox' | 'audit'>, number: number): readonly Write[] {
  const subject = String(number);
  const mark = (name: string) =>
    compileWrite(query.insertInto('outbox_cursors').values({ consumer: `${name} ${number}`, sequence: 0 }));
  return [
    mark('first'),
    outbox.event({ tenant: 'default', name: 'policy.changed', subject, data: {} }),
    audit.entry({ tenant: 'default', actor: 'system', action: 'policy.changed', subject, details: {} }),
    mark('second'),
  ];
}

/** The numbers of all units found whole. @throws when one is there in part. */
export async function wholeUnits({ reader }: Pick<OpenStore, 'reader'>): Promise<ReadonlySet<number>> {
  const rows = await reader.all(query.selectFrom('outbox_cursors').select('consumer').where('consumer', 'like', '% %'));
  const events = await reader.all(query.selectFrom('outbox').select(['subject', 'sequence']).orderBy('sequence'));
  const entries = await reader.all(
    query.selectFrom('audit_entries').select(['subject', 'sequence']).orderBy('sequence'),
  );
  const marks = new Map<string, number>();
  const count = (number: string | undefined) => marks.set(number ?? '', (marks.get(number ?? '') ?? 0) + 1);
  for (const { consumer } of rows) count(consumer.split(' ')[1]);
  for (const { subject } of events) count(subject);
  for (const { subject } of entries) count(subject);
  const half = [...marks].find(([, found]) => found !== 4);
  if (half) throw new Error(`unit ${half[0]} left ${half[1]} of 4 marks`);
  for (const [at, { sequence }] of events.entries())
    if (sequence !== at + 1) throw new Error(`event ${at + 1} is missing`);
  for (const [at, { sequence }] of entries.entries()) if (sequence !== at) throw new Error(`entry ${at} is missing`);
  return new Set([...marks.keys()].map(Number));
}
