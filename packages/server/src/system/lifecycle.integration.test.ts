import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:net';
import type { ApiClient } from '@holdfast/api';
import { generatePrivateKey } from '@holdfast/crypto';
import { encodeBase64, systemClock } from '@holdfast/kernel';
import { encodeHealthReport, holdfastTopic } from '@holdfast/wire/holdfast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import type { Issued } from '../testing/test-authority.ts';
import { ask } from './testing/https-ask.ts';
import { askTopic, createCertificate, registerThing } from './testing/provisioning.ts';
import { FREE_PORT_FLAGS, HoldfastProcess, run } from './testing/server-process.ts';
import { socketClient } from './testing/socket-client.ts';
import { type Credential, credentialOf, csrFor, issuedPem } from './testing/system.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-life-'));
const data = path.join(folder, 'data');
const api: ApiClient = socketClient(() => path.join(data, 'holdfast.sock'));
const UP = ['up', '--data', data, ...FREE_PORT_FLAGS, '--log-level', 'debug'];
const LISTENERS = ['mqtt', 'https', 'public', 'management'];

let server: HoldfastProcess;
let ports: ReadonlyMap<string, number>;
let ca = '';
const secrets: string[] = [];

const port = (name: string) => ports.get(name) ?? 0;

async function start(entrance: 'command' | 'program'): Promise<void> {
  server = new HoldfastProcess(UP, { entrance });
  ports = await server.up();
  ca = readFileSync(path.join(data, 'root-ca.pem'), 'utf8');
}

beforeAll(() => start('program'));
afterAll(async () => {
  server.child.kill('SIGKILL');
  await server.ended;
  rmSync(folder, { recursive: true, force: true });
});

const mqtt = (
  credential: Credential,
  id: string,
  session: { readonly clean?: boolean; readonly expiry?: number } = {},
) => MqttClient.open({ port: port('mqtt'), ca, issued: credential as Issued, clientId: id, ...session });

/** A secret is what a log may not hold: a key's base64 in any of its lines, a token. */
function keep(text: string): void {
  secrets.push(...text.split('\n').filter((line) => line.length >= 40 && !line.startsWith('-----')));
}

async function claimFor(serials: string[]) {
  const claim = await api.call('claims.create', { body: { product: 'lamp', serials } });
  keep(claim.privateKeyPem);
  return claim;
}

async function enroll(serial: string): Promise<Credential> {
  const key = await generatePrivateKey('P-256');
  const claim = await claimFor([serial]);
  const answer = await ask({
    port: port('https'),
    ca,
    method: 'POST',
    target: '/.well-known/est/simpleenroll',
    credential: credentialOf(claim),
    headers: { 'content-type': 'application/pkcs10' },
    body: encodeBase64(await csrFor({ key, serial })),
  });
  return { keyPem: key.exportPem(), pem: issuedPem(answer) };
}

/** A key of the server's making, a token and a certificate, as devices without a random generator get them. */
async function provisionWithKeys(serial: string): Promise<void> {
  const client = await mqtt(credentialOf(await claimFor([serial])), serial);
  const order = { format: 'json', serial } as const;
  const created = await createCertificate(client, order);
  if (typeof created === 'string') throw new TypeError(created);
  keep(created.privateKey ?? '');
  keep(created.certificateOwnershipToken);
  secrets.push(created.certificateOwnershipToken);
  expect(await registerThing(client, order, created.certificateOwnershipToken)).toBe('allowed');
  client.socket.destroy();
}

const answers = (name: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: port(name) }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

const codeIn = ({ stderr }: { readonly stderr: string }) => /\[([a-z]+\.[a-z_]+)\] next: \S/.exec(stderr)?.[1];

describe('the first start on a fresh folder', () => {
  it('answers on every port, keeps its folder to itself, and shows no way in to whoever reads the log', async () => {
    for (const name of LISTENERS) expect([name, await answers(name)]).toEqual([name, true]);
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(statSync(path.join(data, 'holdfast.sock')).mode & 0o777).toBe(0o600);
    expect(statSync(`${data}.root-key`).mode & 0o777).toBe(0o600);
    expect(server.stderr).toContain('holdfast console link');
    expect(server.stderr).not.toMatch(/https:\/\/\S+#/);
    expect(server.stdout).toBe('');
  });

  it.each([
    ['a second process on the folder', () => UP, 'store.in_use', 75],
    [
      'a port that is taken',
      () => ['up', '--data', path.join(folder, 'other'), ...FREE_PORT_FLAGS, '--port-mqtt', `${port('mqtt')}`],
      'server.port_taken',
      69,
    ],
    [
      'a management port that is taken',
      () => ['up', '--data', path.join(folder, 'other'), ...FREE_PORT_FLAGS, '--port-management', `${port('mqtt')}`],
      'server.port_taken',
      69,
    ],
    ['an option there is none of', () => ['up', '--data', data, '--port-mqqt', '1'], 'cli.usage', 64],
    ['a value out of range', () => ['up', '--data', data, '--port-mqtt', '70000'], 'server.bad_config', 78],
  ] as const)('is not disturbed by %s, which is told what to do', async (_, args, code, exit) => {
    const ended = await run(args());
    expect([codeIn(ended), ended.code]).toEqual([code, exit]);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect((await api.call('status.show', {})).tenant).toBe('default');
  });

  it('refuses a setting nobody knows, from a variable or a file', async () => {
    const ended = await run(UP, { HOLDFAST_PORT_MQQT: '1' });
    expect([codeIn(ended), ended.code]).toEqual(['server.bad_config', 78]);
  });

  it('refuses a folder others can read', async () => {
    const open = path.join(folder, 'open');
    mkdirSync(open, { mode: 0o755 });
    chmodSync(open, 0o755);
    const ended = await run(['up', '--data', open, ...FREE_PORT_FLAGS]);
    expect([codeIn(ended), ended.code]).toEqual(['store.exposed', 78]);
  });
});

describe('a server that is killed and started again', () => {
  let before: Awaited<ReturnType<typeof status>>;
  let keeper: Credential;
  const status = async () => api.call('status.show', {});
  const OWN = 'devices/keeper/inbox';

  beforeAll(async () => {
    await api.call('products.create', { body: { name: 'lamp', evidence: 'none' } });
    before = await status();
    keeper = await enroll('keeper');
    const gone = await enroll('gone');
    await provisionWithKeys('made-here');
    const session = await mqtt(keeper, 'keeper', { clean: false, expiry: 3_600 });
    const health = encodeHealthReport({
      firmwareVersion: '1.0.0',
      bootState: 'confirmed',
      bootCount: 1,
      maxSectorErases: 0,
      uptimeSeconds: 1,
    });
    expect(await askTopic(session, holdfastTopic('keeper', 'health'), health)).toMatchObject({ kind: 'accepted' });
    await session.subscribe(OWN, 1);
    expect(await session.publishOnce(OWN)).toBe(0);
    const leaver = await mqtt(gone, 'gone');
    await leaver.publishOnce('devices/gone/state', true);
    await api.call('devices.revoke', { device: 'gone', body: { reason: 'cessationOfOperation' } });
    // At once: what was answered has to be on the disk.
    server.child.kill('SIGKILL');
    await server.ended;
  });

  it('wrote no secret into its log, at the most talkative level', () => {
    expect(secrets.length).toBeGreaterThan(8);
    expect(server.stderr).toContain('"level":"debug"');
    expect(server.stderr).not.toContain('PRIVATE KEY');
    expect(secrets.filter((secret) => server.stderr.includes(secret))).toEqual([]);
  });

  it('has the same authority, devices, sessions and queued messages, and nothing of who was revoked', async () => {
    const begun = systemClock.monotonicMs();
    await start('command');
    process.stdout.write(`up again after kill -9: ${(systemClock.monotonicMs() - begun).toFixed(0)} ms\n`);
    const after = await status();
    expect(after.rootFingerprint).toBe(before.rootFingerprint);
    const { rows } = await api.call('devices.list', {});
    expect(rows.map(({ id, state }) => `${id} ${state}`).toSorted()).toEqual([
      'gone revoked',
      'keeper active',
      'made-here active',
    ]);
    const session = await mqtt(keeper, 'keeper', { clean: false, expiry: 3_600 });
    const connack = session.packets.find((packet) => packet.kind === 'connack');
    expect(connack).toMatchObject({ sessionPresent: true });
    await session.until(({ kind }) => kind === 'publish');
    expect(session.delivered).toEqual([OWN]);
    session.socket.destroy();

    await api.call('devices.readmit', { device: 'gone' });
    const back = await mqtt(await enroll('gone'), 'gone');
    expect(await back.subscribe('devices/gone/state')).toBe(0);
    expect(await back.publishOnce('devices/gone/other')).not.toBe(0x87);
    expect(back.delivered).toEqual([]);
    back.socket.destroy();
    expect((await api.call('audit.verify', {})).kind).toBe('intact');
  });

  it('ends in order on SIGTERM, with connections open, and says good-bye to MQTT', async () => {
    const client = await mqtt(keeper, 'keeper');
    const half = connect({ host: '127.0.0.1', port: port('management') });
    half.on('error', () => undefined);
    const begun = systemClock.monotonicMs();
    server.child.kill('SIGTERM');
    const ended = await server.ended;
    expect([ended.code, ended.signal]).toEqual([0, null]);
    expect(systemClock.monotonicMs() - begun).toBeLessThan(5_000);
    expect(client.disconnect).toBe(0x8b);
    half.destroy();
    for (const name of LISTENERS) expect([name, await answers(name)]).toEqual([name, false]);
  });

  it('does not start without its root key, and makes no new one', async () => {
    renameSync(`${data}.root-key`, path.join(folder, 'kept'));
    const ended = await run(UP);
    expect([codeIn(ended), ended.code]).toEqual(['storage.root_key_missing', 78]);
    expect(() => statSync(`${data}.root-key`)).toThrow();
    renameSync(path.join(folder, 'kept'), `${data}.root-key`);
  });

  it('does not start with the root key of another', async () => {
    const other = path.join(folder, 'foreign');
    writeFileSync(other, `${encodeBase64(new Uint8Array(32).fill(7))}\n`, { mode: 0o600 });
    const ended = await run([...UP, '--root-key', `file:${other}`]);
    expect(ended.code).not.toBe(0);
    expect(codeIn(ended)).toMatch(/^storage\./);
  });
});
