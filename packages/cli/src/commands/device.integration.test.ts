import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@holdfast/kernel';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ServerProcess } from '../demo/server-process.ts';
import { until } from '../demo/waiting.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const WAITING = { clock: systemClock, signal: new AbortController().signal };

let temporary: string;
let server: ServerProcess;
const running: Run[] = [];

beforeAll(async () => {
  temporary = mkdtempSync(path.join(tmpdir(), 'device-run-'));
  server = await ServerProcess.start(path.join(temporary, 'data'), systemClock, WAITING.signal);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((run) => run.stop()));
});

afterAll(async () => {
  await server.stop();
  rmSync(temporary, { recursive: true, force: true });
});

/** `holdfast …` against the server of this test. */
class Run {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  err = '';

  constructor(args: readonly string[]) {
    const { promise, resolve } = Promise.withResolvers<number | null>();
    this.child = spawn(process.execPath, [MAIN, ...args, '--data', server.dataFolder]);
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString();
    });
    this.child.once('close', resolve);
    this.ended = promise;
    running.push(this);
  }

  /** Waits for so many lines that match. */
  async lines(pattern: RegExp, count: number): Promise<readonly string[]> {
    const found = async (): Promise<readonly string[] | undefined> => {
      const lines = this.err.split('\n').filter((line) => pattern.test(line));
      return lines.length >= count ? lines : undefined;
    };
    return until(`${String(pattern)} in ${this.err}`, found, WAITING);
  }

  stop(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.ended;
  }
}

const deviceRun = (...args: readonly string[]): Run =>
  new Run(['device', 'run', '--folder', path.join(temporary, 'devices'), ...args]);

describe('holdfast device run', () => {
  it('makes devices in a factory, enrolls them, and they prove themselves; a restart takes up the same ones', async () => {
    const first = deviceRun('--count', '2');
    await first.lines(/: evidence accepted: proven$/, 2);
    expect(await first.stop()).toBe(0);
    const { rows } = await server.client.call('devices.list', { query: { product: 'virtual' } });
    const serials = rows.map(({ serial }) => serial).sort();
    expect(readdirSync(path.join(temporary, 'devices')).sort()).toEqual(serials);
    expect(rows.map(({ posture }) => posture.state)).toEqual(['proven', 'proven']);

    const second = deviceRun('--count', '3');
    const proven = await second.lines(/: evidence accepted: proven$/, 3);
    expect(second.err.split('\n').filter((line) => line.endsWith(': made'))).toHaveLength(1);
    expect(second.err.split('\n').filter((line) => line.includes(': enrolled as '))).toHaveLength(1);
    for (const serial of serials) expect(proven.some((line) => line.startsWith(serial))).toBe(true);
  });

  it.each(['keys', 'est'])('enrolls by %s too', async (way) => {
    const run = deviceRun('--product', `lamp-${way}`, '--enroll', way);
    await run.lines(/: evidence accepted: proven$/, 1);
    const { rows } = await server.client.call('devices.list', { query: { product: `lamp-${way}` } });
    const { certificates } = await server.client.call('devices.show', { device: rows[0]?.id ?? '' });
    expect(certificates.map(({ keyOrigin }) => keyOrigin)).toEqual([way === 'keys' ? 'server' : 'device']);
  });

  it('starts on the release it is told, and takes an update while it runs', async () => {
    const run = deviceRun('--product', 'valve');
    await run.lines(/: evidence accepted: proven$/, 1);
    const { id: artifactId } = await server.client.call('artifacts.upload', { octets: new Uint8Array(20_000).fill(7) });
    const body = { product: 'valve', version: '1.1.0', securityCounter: 2, artifactId };
    const { id: releaseId } = await server.client.call('releases.create', { body });
    const { rows } = await server.client.call('devices.list', { query: { product: 'valve' } });
    const devices = rows.map(({ id }) => id);
    await server.client.call('rollouts.create', { body: { releaseId, devices } });
    await run.lines(/: boots 1\.1\.0 \(confirmed\)$/, 1);
    await run.lines(/: update SUCCEEDED$/, 1);

    await run.stop();
    const another = deviceRun('--product', 'valve', '--count', '2', '--release', releaseId);
    await another.lines(/: boots 1\.1\.0 \(confirmed\)$/, 1);
  });

  it('does not run a device that runs already, which the server would take for a copied key', async () => {
    const run = deviceRun('--product', 'twin');
    await run.lines(/: evidence accepted: proven$/, 1);
    const other = deviceRun('--product', 'twin');
    expect(await other.ended).toBe(75);
    expect(other.err).toContain('[cli.device_in_use]');
    const { rows } = await server.client.call('devices.list', { query: { product: 'twin' } });
    expect(rows.map(({ state }) => state)).toEqual(['active']);
  });

  it('is trapped when a copy of its folder, key and all, is used while it was away', async () => {
    const run = deviceRun('--product', 'copied');
    await run.lines(/: evidence accepted: proven$/, 1);
    await run.stop();
    const { rows } = await server.client.call('devices.list', { query: { product: 'copied' } });
    const device = rows[0]?.id ?? '';
    const copy = path.join(temporary, 'copy');
    cpSync(path.join(temporary, 'devices', rows[0]?.serial ?? ''), path.join(copy, rows[0]?.serial ?? ''), {
      recursive: true,
    });
    const again = deviceRun('--product', 'copied');
    await again.lines(/: evidence accepted: proven$/, 1);
    await again.stop();
    expect((await server.client.call('devices.ratchet', { device })).turns).toBe(2);

    const thief = new Run(['device', 'run', '--product', 'copied', '--folder', copy]);
    const held = async () => {
      const found = await server.client.call('devices.show', { device });
      return found.state === 'quarantined' ? found : undefined;
    };
    const found = await until('the copy is noticed', held, WAITING);
    expect(found.stateReason).toMatch(
      /the same key was used from \S+ at \S+Z and, with an old value, from \S+ at \S+Z/,
    );
    await thief.stop();
  });

  it('names what is wrong when no server answers', async () => {
    const child = spawn(process.execPath, [MAIN, 'device', 'run', '--data', path.join(temporary, 'nothing')]);
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    expect(code).toBe(69);
    expect(err).toContain('[server.unreachable]');
  });
});

describe('holdfast update release image', () => {
  it('writes the signed image, and does not overwrite a file', async () => {
    const { id: artifactId } = await server.client.call('artifacts.upload', { octets: new Uint8Array(5000).fill(3) });
    await server.client.call('products.create', { body: { name: 'pump' } });
    const body = { product: 'pump', version: '1.0.0', securityCounter: 1, artifactId };
    const release = await server.client.call('releases.create', { body });
    const file = path.join(temporary, 'pump.bin');
    expect(await new Run(['update', 'release', 'image', release.id, file]).ended).toBe(0);
    expect(statSync(file).size).toBe(release.imageLength);
    expect(readFileSync(file).readUInt32LE(0)).toBe(0x96f3b83d);
    const again = new Run(['update', 'release', 'image', release.id, file]);
    expect(await again.ended).toBe(65);
    expect(again.err).toContain('[cli.file_exists]');
  });
});
