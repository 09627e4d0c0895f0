import { sha256 } from '@holdfast/crypto';
import { encodeHex, encodeUtf8, HoldfastError, silentLog } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqlAuditLog } from '../../../server/src/persistence/repositories/audit.ts';
import { OPERATOR, openUpdateWorld, type UpdateWorld } from '../../../server/src/testing/update-world.ts';
import type { RehearsalReport, RehearsalRequest } from '../boot/index.ts';
import type { ReleaseRecord } from '../ports/index.ts';
import { type Rehearser, Rehearsals } from './index.ts';

const coded = (code: string) => expect.objectContaining({ code }) as unknown;
const KEY = Uint8Array.of(1, 2, 3);
const NEXT = Uint8Array.of(4, 5, 6);
const FIRMWARE = (digit: number): string => String(digit).repeat(64);

interface Run {
  readonly request: RehearsalRequest;
  readonly watch: Parameters<Rehearser['run']>[1];
  readonly end: (result: RehearsalReport['result']) => void;
}

let world: UpdateWorld;
let release: ReleaseRecord;
let runs: Run[];
let rehearsals: Rehearsals;
let files: Map<string, Uint8Array>;

beforeEach(async () => {
  world = await openUpdateWorld();
  await world.addProduct();
  release = await world.addRelease('new', { version: '9.0.0', counter: 3, imageLength: 4 });
  runs = [];
  files = new Map([['artifact-new', Uint8Array.of(9, 9, 9, 9)]]);
  rehearsals = newRehearsals();
});
afterEach(() => world.opened.close());

function newRehearsals(): Rehearsals {
  const { clock, opened, repositories } = world;
  const { store, audit } = opened;
  const rehearser: Rehearser = {
    run: (request, watch) =>
      new Promise((resolve, reject) => {
        runs.push({ request, watch, end: (result) => resolve(reportOf(result)) });
        watch.signal.addEventListener('abort', () => reject(new HoldfastError('boot.rehearsal_cancelled')));
      }),
  };
  const open = (_tenant: string, id: string) => {
    const bytes = files.get(id);
    const file = bytes && {
      size: bytes.length,
      read: ({ start, end }: { start: number; end: number }) => Promise.resolve(bytes.slice(start, end)),
      close: () => Promise.resolve(),
    };
    return Promise.resolve(file);
  };
  const keys = {
    trusted: () => Promise.resolve([KEY, NEXT]),
    heldSince: (_product: unknown, at: number) => Promise.resolve(at < 5 ? [KEY] : [KEY, NEXT]),
  };
  return new Rehearsals({ ...repositories, clock, log: silentLog, store, audit, files: { open }, keys, rehearser });
}

function reportOf(result: RehearsalReport['result']): RehearsalReport {
  return {
    format: 'mcuboot',
    chip: 'nrf52840',
    strategy: 'swap-move',
    result,
    steps: [],
    cuts: 5,
    seed: 1,
    seconds: 0.5,
  };
}

/** A firmware that was published, with what measures it. */
async function publish(digit: number, change: Partial<ReleaseRecord> = {}): Promise<void> {
  const id = `r${digit}`;
  const old = { version: `${digit}.0.0`, counter: 1, measurement: FIRMWARE(digit), imageLength: 1, ...change };
  const { tenant, product, hardwareRevision, version, counter } = await world.addRelease(id, old);
  const value = { tenant, product, hardwareRevision, version, counter, digest: FIRMWARE(digit), releaseId: id };
  const { referenceValues } = world.repositories;
  await world.opened.store.commit([referenceValues.recording({ ...value, recordedAt: digit })]);
  files.set(`artifact-${id}`, Uint8Array.of(digit));
}

async function nextRun(index = 0): Promise<Run> {
  await expect.poll(() => runs.length, { timeout: 20_000 }).toBeGreaterThan(index);
  const run = runs[index];
  if (run === undefined) throw new Error('no run');
  return run;
}

async function rehearsed(result: RehearsalReport['result'] = 'passed'): Promise<Run> {
  const done = rehearsals.require(OPERATOR, release);
  const run = await nextRun(runs.length);
  run.end(result);
  await done;
  return run;
}

describe('the rehearsal of a release', () => {
  it('boots it from each firmware that devices have proven, and from the first that was ever published', async () => {
    for (const digit of [1, 2, 3]) await publish(digit);
    for (const device of ['a', 'b']) await world.addDevice(device);
    await world.recordEvidence('a', { digest: FIRMWARE(3) });
    await world.recordEvidence('b', { digest: FIRMWARE(3) });
    const { request } = await rehearsed();
    expect(request.from.map(({ name, image }) => [name, image?.[0]])).toEqual([
      ['3.0.0 (2 devices)', 3],
      ['1.0.0 (factory)', 1],
    ]);
    expect(request).toMatchObject({ format: 'mcuboot', slotSize: 1_048_576, keys: [KEY, NEXT], cuts: 24 });
  });

  it('gives each firmware the keys that its oldest device was made with', async () => {
    for (const digit of [1, 2]) await publish(digit);
    await world.addDevice('a', { createdAt: 4 });
    await world.addDevice('b', { createdAt: 9 });
    await world.addDevice('c', { createdAt: 7 });
    for (const device of ['a', 'b']) await world.recordEvidence(device, { digest: FIRMWARE(2) });
    const { request } = await rehearsed();
    expect(request.from.map(({ name, keys }) => [name, keys.length])).toEqual([
      ['2.0.0 (2 devices)', 1],
      ['1.0.0 (factory)', 2],
    ]);
  });

  it('updates it from itself while nothing else was published, with the keys of devices that are made already', async () => {
    await world.addDevice('a', { createdAt: 4 });
    expect((await rehearsed()).request.from).toMatchObject([{ name: 'itself', keys: [KEY] }]);
  });

  it('leaves out firmware for other hardware and with a higher counter, whose devices no rollout reaches', async () => {
    await publish(1, { hardwareRevision: 'rev-b' });
    await publish(2, { counter: 7 });
    expect((await rehearsed()).request.from).toMatchObject([{ name: 'itself' }]);
  });

  it('says of a firmware whose image is gone that there is none, and does not leave it out', async () => {
    await publish(1);
    files.delete('artifact-r1');
    expect((await rehearsed()).request.from).toMatchObject([{ name: '1.0.0 (factory)', image: undefined }]);
  });

  it('looks at the eight newest firmwares and the first', async () => {
    for (const digit of [1, 2, 3, 4, 5, 6, 7, 8]) await publish(digit);
    await publish(9, { measurement: FIRMWARE(9), version: '8.9.0' });
    for (const digit of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      await world.addDevice(`d${digit}`);
      await world.recordEvidence(`d${digit}`, { digest: FIRMWARE(digit) });
    }
    const names = (await rehearsed()).request.from.map(({ image }) => image?.[0]);
    expect(names).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it('runs once for any number of requests, and shows how far it is', async () => {
    rehearsals.begin(OPERATOR, release);
    const both = Promise.all([rehearsals.require(OPERATOR, release), rehearsals.require(OPERATOR, release)]);
    const { watch, end } = await nextRun();
    watch.onProgress({ step: '1.0.0', cuts: 3 });
    expect(await rehearsals.standing(release)).toEqual({ kind: 'running', progress: { step: '1.0.0', cuts: 3 } });
    end('passed');
    await both;
    expect(runs.length).toBe(1);
    expect(await rehearsals.standing(release)).toMatchObject({ kind: 'done', record: { result: 'passed' } });
  });

  it('is kept, also for a server that starts later, until the field is another', async () => {
    await publish(1);
    await rehearsed();
    rehearsals = newRehearsals();
    await rehearsals.require(OPERATOR, release);
    expect(runs.length).toBe(1);
    await publish(2);
    await world.addDevice('a');
    await world.recordEvidence('a', { digest: FIRMWARE(2) });
    expect((await rehearsed()).request.from.length).toBe(2);
  });

  it('is in the log with what it found and the digest of its report', async () => {
    await rehearsed('partial');
    const kept = await world.repositories.rehearsals.find('default', 'new');
    const page = await new SqlAuditLog(world.opened.reader).list('default', {}, { limit: 1 });
    const details = {
      result: 'partial',
      chip: 'nrf52840',
      cuts: 5,
      reportSha256: encodeHex(sha256(encodeUtf8(kept?.report ?? ''))),
    };
    expect(page.rows[0]).toMatchObject({ action: 'release.rehearsed', subject: 'new', actor: 'operator:ann' });
    expect(JSON.parse(page.rows[0]?.details ?? '')).toMatchObject(details);
  });

  it('refuses a rollout when it was refused, now and when it is asked again', async () => {
    for (let ask = 0; ask < 2; ask++) {
      const done = rehearsals.require(OPERATOR, release);
      if (ask === 0) (await nextRun()).end('refused');
      await expect(done).rejects.toEqual(coded('boot.rehearsal_refused'));
    }
    expect(runs.length).toBe(1);
  });

  it('lets a release through that could be tried in part alone', async () => {
    await rehearsed('partial');
    expect(await rehearsals.standing(release)).toMatchObject({ record: { result: 'partial' } });
  });

  it('can be cancelled: nothing is kept, and whoever waited is told', async () => {
    const done = rehearsals.require(OPERATOR, release);
    const refused = expect(done).rejects.toEqual(coded('boot.rehearsal_cancelled'));
    await nextRun();
    await rehearsals.cancel(release);
    await refused;
    expect(await rehearsals.standing(release)).toEqual({ kind: 'none' });
    await rehearsed();
  });
});
