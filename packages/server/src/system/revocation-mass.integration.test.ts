import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EnrolledDevice, TestSystem } from './testing/system.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
});
afterAll(() => system.close());

function tls(device: EnrolledDevice, session?: Buffer) {
  const socket = connect({
    host: '127.0.0.1',
    port: system.port('https'),
    servername: 'localhost',
    ca: system.ca,
    key: device.keyPem,
    cert: device.pem,
    maxVersion: 'TLSv1.2',
    ...(session === undefined ? {} : { session }),
  });
  socket.on('error', () => undefined);
  return socket;
}

async function ticketOf(device: EnrolledDevice): Promise<Buffer> {
  const socket = tls(device);
  const ticket = await new Promise<Buffer>((resolve) => socket.once('session', resolve));
  socket.destroy();
  return ticket;
}

async function isResumed(device: EnrolledDevice, session: Buffer): Promise<boolean> {
  const socket = tls(device, session);
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const resumed = socket.isSessionReused();
  socket.destroy();
  return resumed;
}

describe('a mass revocation, seen from outside', () => {
  it('cuts whom it names and makes every ticket worth a full handshake, after a restart too', async () => {
    const [stolen, honest] = [await system.enroll('stolen-1'), await system.enroll('honest-1')];
    const connections = [await system.mqtt(stolen, { id: stolen.id }), await system.mqtt(honest, { id: honest.id })];
    const ticket = await ticketOf(honest);
    expect(await isResumed(honest, ticket)).toBe(true);
    const cut = new Promise((resolve) => connections[0]?.socket.once('close', resolve));

    const target = { kind: 'devices' as const, devices: ['stolen-1'] };
    const { devices } = await system.api.call('revocations.preview', { body: { target } });
    const body = { target, reason: 'keyCompromise' as const, expected: devices };
    expect(await system.api.call('revocations.run', { body })).toMatchObject({ devices: 1, ticketEpoch: 1 });

    await cut;
    expect(connections[1]?.socket.destroyed).toBe(false);
    await expect.poll(() => isResumed(honest, ticket)).toBe(false);
    const later = await ticketOf(honest);
    expect(await isResumed(honest, later)).toBe(true);

    await system.stop();
    await system.start();
    expect([await isResumed(honest, ticket), await isResumed(honest, later)]).toEqual([false, true]);
  });

  it('revokes one certificate by its fingerprint, and cuts it', async () => {
    const device = await system.enroll('single-1');
    const connected = await system.mqtt(device, { id: device.id });
    const cut = new Promise((resolve) => connected.socket.once('close', resolve));
    const { certificates } = await system.api.call('devices.show', { device: device.id });
    const certificate = certificates[0]?.fingerprint ?? '';
    const outcome = await system.api.call('certificates.revoke', { certificate, body: {} });
    expect(outcome).toMatchObject({ kind: 'revoked', certificates: 1 });
    await cut;
    expect((await system.https('GET', '/.well-known/est/cacerts', { credential: device })).status).toBe(403);
  });
});
