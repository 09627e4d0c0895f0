// A process that spools messages as fast as it can and prints the number of each when it is durable, until killed.
//
//   node spool-storm.ts FOLDER FIRST
import { encodeUtf8, seededRandom, silentLog, systemClock } from '@holdfast/kernel';
import { encodeSinkMessage } from '../sink-message.ts';
import { Spool } from '../spool.ts';
import { stormKeys } from './storm-keys.ts';

const [, , folder = '', first = '0'] = process.argv;
const spool = await Spool.open({
  folder,
  keys: stormKeys(Number(first)),
  clock: systemClock,
  random: seededRandom(7),
  log: silentLog,
  segmentBytes: 20_000,
});
process.stdout.write('open\n');

let next = Number(first);
async function writer(): Promise<void> {
  for (;;) {
    const number = next++;
    const payload = encodeUtf8(`${number}`);
    const properties = new Uint8Array(0);
    const message = {
      topic: 't',
      deviceId: 'd',
      qos: 1,
      retain: false,
      at: systemClock.now(),
      payload,
      properties,
    } as const;
    if (await spool.append(encodeSinkMessage(message))) process.stdout.write(`${number}\n`);
  }
}
await Promise.all(Array.from({ length: 20 }, writer));
