// Seals and opens: {"sealMiB", "openMiB", "records"} a CPU second.
import { localKey, openStream, sealRecord, sealStream } from '@holdfast/crypto';
import { systemRandom } from '@holdfast/kernel';

const { size, records } = JSON.parse(process.argv[2] ?? '{}') as { size: number; records: number };
const MIB = 1024 * 1024;
const key = localKey('bench', 1, systemRandom.bytes(32), systemRandom);
const context = { tenant: 'default', kind: 'blob', id: 'bench', version: 1 };
const chunk = new Uint8Array(MIB);

async function* plain(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += MIB) yield chunk;
}

async function cpuSeconds(action: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await action();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6;
}

const sealed: Uint8Array[] = [];
async function seal(): Promise<void> {
  sealed.length = 0;
  for await (const piece of sealStream(key, context, plain(), systemRandom)) sealed.push(piece);
}

async function open(): Promise<void> {
  const source = (async function* () {
    yield* sealed;
  })();
  for await (const piece of openStream(() => key, context, source)) if (piece.length === 0) break;
}

async function sealRecords(): Promise<void> {
  const record = new Uint8Array(256);
  for (let index = 0; index < records; index++)
    await sealRecord(key, { ...context, kind: 'secret', id: `r${index}` }, record, systemRandom);
}

await seal();
const sealMiB = size / MIB / (await cpuSeconds(seal));
const openMiB = size / MIB / (await cpuSeconds(open));
await sealRecords();
console.log(JSON.stringify({ sealMiB, openMiB, records: records / (await cpuSeconds(sealRecords)) }));
process.exit(0);
