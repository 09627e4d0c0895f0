import { RowPatrol } from '../persistence/row-patrol.ts';
import { RowSeal } from '../persistence/row-seal.ts';
import { derivedKey } from './derived-key.ts';
import type { Foundation } from './foundation.ts';

const ALARM = 'registry.altered';

/** Seals the rows that decide whether somebody is let in, and looks after them. */
export async function openRowSeal(foundation: Foundation): Promise<RowSeal> {
  const { alarms, auditRecords, clock, closers, database, log, tenant } = foundation;
  const patrol = new RowPatrol({
    ...database,
    auditRecords,
    clock,
    log,
    tenant,
    onAltered: (rows) => {
      if (rows === 0) alarms.clear(ALARM);
      else {
        const words = `${rows} row(s) of the registry were changed outside Holdfast; whom they are about is held back`;
        alarms.raise(ALARM, `${words}: holdfast audit list --action registry.row_altered`);
      }
    },
  });
  const seal = new RowSeal(derivedKey(foundation, 'registry-rows'), patrol.report);
  await patrol.sealOnce(seal);
  patrol.start(seal);
  closers.add('registry patrol', () => patrol.close());
  return seal;
}
