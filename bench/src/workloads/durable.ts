// Inserts devices into a store on disk: {"cpuMicros", "seconds", "operations"}. `raw` runs the SQL the repository compiles, on the bare driver.
import { DatabaseSync } from 'node:sqlite';
import { silentLog, systemClock } from '@holdfast/kernel';
import type { DeviceRecord } from '@holdfast/trust/ports';
import { openStore } from '../../../packages/server/src/persistence/index.ts';
import { SQLITE_WRITER_PRAGMAS } from '../../../packages/server/src/persistence/dialects/sqlite-pragmas.ts';
import { SqlDeviceRepository } from '../../../packages/server/src/persistence/repositories/identity-devices.ts';
import { resolvePostgres, openPostgres } from '../../../packages/server/src/persistence/postgres/index.ts';
import type { PostgresAddress } from '../../../packages/server/src/persistence/postgres/address.ts';
import { clientConfig, connect } from '../../../packages/server/src/persistence/postgres/connect.ts';
import { PostgresPhrases } from '../../../packages/server/src/persistence/dialects/postgres.ts';
import type { SqlWrite } from '../../../packages/server/src/persistence/write.ts';

interface Parameters {
  /** Path of a file, or the address of a PostgreSQL database. */
  readonly location: string;
  readonly how: 'single' | 'group' | 'raw';
  readonly count: number;
}

const { location, how, count } = JSON.parse(process.argv[2] ?? '{}') as Parameters;
const AT_ONCE = 256;

function deviceOf(index: number): DeviceRecord {
  const deviceId = `lamp-${index}`;
  return {
    tenant: 'default',
    deviceId,
    product: 'lamp',
    serialNumber: deviceId,
    hardwareRevision: 'rev-a',
    state: 'established',
    stateReason: undefined,
    attributes: {},
    ueid: undefined,
    attestationAnchor: undefined,
    claimId: undefined,
    createdAt: 1,
    enrolledAt: undefined,
    revision: 1,
  };
}

const isShared = location.startsWith('postgres://');
const address = isShared
  ? resolvePostgres({ store: location, password: undefined, ca: undefined, plaintext: false, environment: {} })
  : undefined;
const common = { clock: systemClock, log: silentLog };
const opened = await (address === undefined
  ? openStore({ ...common, location })
  : openPostgres({ ...common, address }));
const devices = new SqlDeviceRepository(opened.reader);

/** One unit a commit, one after the other. */
async function single(from: number, until: number): Promise<void> {
  for (let index = from; index < until; index++) await opened.store.commit([devices.inserting(deviceOf(index))]);
}

/** Many callers at once, each waiting for its own unit. */
async function group(from: number, until: number): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    for (let index = next++; index < until; index = next++)
      await opened.store.commit([devices.inserting(deviceOf(index))]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function openRaw(): (from: number, until: number) => Promise<void> {
  const db = new DatabaseSync(location);
  for (const pragma of SQLITE_WRITER_PRAGMAS) db.exec(pragma);
  const { sql } = devices.inserting(deviceOf(0)) as SqlWrite;
  const statement = db.prepare(sql);
  return async (from, until) => {
    for (let index = from; index < until; index++)
      statement.run(...(devices.inserting(deviceOf(index)) as SqlWrite).parameters);
  };
}

async function openRawShared(address: PostgresAddress): Promise<(from: number, until: number) => Promise<void>> {
  const client = await connect(clientConfig(address));
  const phrases = new PostgresPhrases();
  return async (from, until) => {
    for (let index = from; index < until; index++) {
      await client.query(phrases.query(devices.inserting(deviceOf(index)) as SqlWrite));
    }
  };
}

if (how === 'raw') await opened.close();
const raw = address === undefined ? openRaw : () => openRawShared(address);
const insert = how === 'raw' ? await raw() : how === 'single' ? single : group;
const WARM_UP = 200;
await insert(0, WARM_UP);
const cpu = process.cpuUsage();
const started = performance.now();
await insert(WARM_UP, WARM_UP + count);
const seconds = (performance.now() - started) / 1000;
const used = process.cpuUsage(cpu);
console.log(JSON.stringify({ cpuMicros: used.user + used.system, seconds, operations: count }));
process.exit(0);
