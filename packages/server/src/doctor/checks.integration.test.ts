import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ManualClock } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../config/index.ts';
import { examine } from './index.ts';

const NOW = Date.UTC(2026, 5, 1);

function freshFolder(): string {
  return path.join(mkdtempSync(path.join(tmpdir(), 'holdfast-doctor-')), 'data');
}

async function findings(flags: Record<string, unknown>, clock = new ManualClock(NOW)) {
  const ports = { portMqtt: 0, portHttps: 0, portManagement: 0, portPublic: 0 };
  const { config } = loadConfig({ environment: {}, flags: { data: freshFolder(), ...ports, ...flags } });
  const list = await examine({ config, clock, serverRuns: false });
  return new Map(list.map((finding) => [finding.check, finding]));
}

describe('the doctor', () => {
  it('finds nothing wrong with a machine that can start', async () => {
    const problems = [...(await findings({})).values()].filter(({ verdict }) => verdict !== 'ok');
    expect(problems).toEqual([]);
  });

  it('names a port that another process holds and the flag that changes it', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    const finding = (await findings({ portMqtt: port })).get('port mqtt');
    other.close();
    expect(finding).toMatchObject({ verdict: 'problem', next: expect.stringContaining('--port-mqtt') });
  });

  it.each([0, Date.UTC(2020, 0, 1), Date.UTC(2101, 0, 1)])('calls a clock at %d wrong', async (at) => {
    expect((await findings({}, new ManualClock(at))).get('clock')?.verdict).toBe('problem');
  });

  it('wants a folder nobody else can read', async () => {
    const data = freshFolder();
    mkdirSync(data, { mode: 0o755 });
    expect((await findings({ data })).get('folder')).toMatchObject({ verdict: 'problem', next: `chmod 700 ${data}` });
  });

  it('says what is missing to reach an issuing key in a token', async () => {
    const issuingKey = 'pkcs11:token=hf;object=issuing';
    expect((await findings({ issuingKey })).get('issuing key')).toMatchObject({
      verdict: 'problem',
      words: expect.stringContaining('storage.key_engine_missing'),
      next: expect.stringContaining('--pkcs11-module'),
    });
  });

  it('misses a root key whose store is there, and one that others can read', async () => {
    const data = freshFolder();
    mkdirSync(data, { mode: 0o700 });
    writeFileSync(path.join(data, 'holdfast.db'), '');
    expect((await findings({ data })).get('root key')?.verdict).toBe('problem');
    writeFileSync(`${data}.root-key`, 'k');
    chmodSync(`${data}.root-key`, 0o644);
    expect((await findings({ data })).get('root key')?.next).toContain('chmod 600');
  });
});
