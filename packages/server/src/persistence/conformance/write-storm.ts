// A process that commits units as fast as it can and prints the number of each when it is acknowledged, until killed.
//
//   node write-storm.ts FILE FIRST
import { systemClock } from '@holdfast/kernel';
import { openStore } from '../open-store.ts';
import { stormUnit } from './storm-unit.ts';

const [, , location = '', first = '0'] = process.argv;
const opened = await openStore({ location, clock: systemClock });
process.stdout.write('open\n');

let next = Number(first);
async function writer(): Promise<void> {
  for (;;) {
    const number = next++;
    await opened.store.commit(stormUnit(opened, number));
    process.stdout.write(`${number}\n`);
  }
}
await Promise.all(Array.from({ length: 20 }, writer));
