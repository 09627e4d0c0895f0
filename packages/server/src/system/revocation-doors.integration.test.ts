import { connect, type TLSSocket } from 'node:tls';
import { generatePrivateKey } from '@holdfast/crypto';
import { seededRandom, systemClock } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import { createCertificate, registerThing } from './testing/provisioning.ts';
import { type Credential, credentialOf, csrFor, type EnrolledDevice, TestSystem } from './testing/system.ts';

const FIRMWARE_BYTES = 24 * 1024 * 1024;
const LIMIT_MS = 1_000;

let system: TestSystem;
const firmware = seededRandom(1).bytes(FIRMWARE_BYTES);
const figures = new Map<string, number>();
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp', 'none', 32 * 1024 * 1024);
});
afterAll(async () => {
  await system.close();
  const rows = [...figures].map(([what, ms]) => `  ${what}: ${ms.toFixed(0)} ms`);
  process.stdout.write(`from the operator's request to the closed socket\n${rows.join('\n')}\n`);
});

/** What takes a device out, and what an operator's request for it is called. */
const ACTS: Readonly<Record<'revoked' | 'suspended' | 'quarantined', (device: EnrolledDevice) => Promise<unknown>>> = {
  revoked: ({ id }) => system.api.call('devices.revoke', { device: id, body: { reason: 'cessationOfOperation' } }),
  suspended: ({ id }) => system.api.call('devices.suspend', { device: id }),
  quarantined: async (device) => {
    for (let turn = 0; turn < 4; turn++) await system.mqtt(device, { id: device.id });
    await expect
      .poll(async () => (await system.api.call('devices.show', { device: device.id })).state)
      .toBe('quarantined');
  },
};
type Act = keyof typeof ACTS;
const ACT_NAMES = Object.keys(ACTS) as readonly Act[];

const VERSIONS = [4, 5] as const;
const TLS = ['TLSv1.2', 'TLSv1.3'] as const;
const MQTT_NAMES = { 4: 'MQTT 3.1.1', 5: 'MQTT 5' } as const;

let serials = 0;
const newDevice = (): Promise<EnrolledDevice> => system.enroll(`lamp-${++serials}`);

/** Carries out the act and waits for the end of a connection; the figure is kept. */
async function cutBy(
  act: Act,
  device: EnrolledDevice,
  {
    closed,
    what,
    afterAct,
  }: { readonly closed: Promise<unknown>; readonly what: string; readonly afterAct?: () => void },
): Promise<void> {
  const begun = systemClock.monotonicMs();
  const acted = ACTS[act](device).then(() => afterAct?.());
  const [ms] = await Promise.all([closed.then(() => systemClock.monotonicMs() - begun), acted]);
  figures.set(`${what}, ${act}`, ms);
  expect(ms).toBeLessThan(LIMIT_MS);
}

/** The device as it comes back after an operator let it in again, with a new certificate where the old one is gone. */
async function readmitted(act: Act, device: EnrolledDevice): Promise<EnrolledDevice> {
  await system.api.call('devices.readmit', { device: device.id });
  return act === 'revoked' ? system.enroll(device.id) : device;
}

function httpsSocket(credential: Credential | undefined, tls: object = {}): TLSSocket {
  const own = credential === undefined ? {} : { key: credential.keyPem, cert: credential.pem };
  const socket = connect({
    host: '127.0.0.1',
    port: system.port('https'),
    servername: 'localhost',
    ca: system.ca,
    ...own,
    ...tls,
  });
  socket.on('error', () => undefined);
  return socket;
}

const closing = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once('close', () => resolve());
  });

const RENEWAL = 'POST /.well-known/est/simplereenroll HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n';
const CA_CERTS = 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** Everything a socket said until it closed or was quiet. */
async function heard(socket: TLSSocket, request: string): Promise<string> {
  let said = '';
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1');
  });
  socket.write(request);
  await Promise.race([closing(socket), expect.poll(() => said).not.toBe('')]);
  socket.destroy();
  return said;
}

async function httpsTicket(credential: Credential, maxVersion: (typeof TLS)[number]): Promise<Buffer> {
  const socket = httpsSocket(credential, { maxVersion });
  const ticket = new Promise<Buffer>((resolve) => socket.once('session', resolve));
  expect(await heard(socket, CA_CERTS)).toMatch(/^HTTP\/1.1 200/);
  return ticket;
}

describe.each(ACT_NAMES)('a device that is %s', (act) => {
  describe.each(VERSIONS)('over MQTT (protocol level %i)', (version) => {
    const what = MQTT_NAMES[version];

    it('is cut while it is connected, and its will is not published', async () => {
      const device = await newDevice();
      const topic = `devices/${device.id}/last-words`;
      const client = await system.mqtt(device, { id: device.id, version, will: { topic, retain: true } });
      await cutBy(act, device, { closed: client.closed, what });
      // A take-over ends the first of the two before anybody is quarantined.
      if (version === 5 && act !== 'quarantined') expect(client.disconnect).toBe(0x98);
      const back = await readmitted(act, device);
      const again = await system.mqtt(back, { id: device.id, version });
      expect(await again.subscribe(topic)).toBe(0);
      await again.publishOnce(`devices/${device.id}/done`);
      expect(again.delivered).toEqual([]);
    });

    it('finds no door open, full or resumed, with its certificate or without', async () => {
      const device = await newDevice();
      const tickets = new Map<string, Buffer | undefined>();
      for (const maxVersion of TLS) {
        const client = await system.mqtt(device, { id: device.id, version, tls: { maxVersion } });
        await expect.poll(() => client.ticket).toBeDefined();
        tickets.set(maxVersion, client.ticket);
        client.socket.destroy();
        await client.closed;
      }
      await ACTS[act](device);
      for (const maxVersion of TLS) {
        for (const session of [undefined, tickets.get(maxVersion)]) {
          for (const credential of [device, undefined]) {
            const tls = { maxVersion, ...(session === undefined ? {} : { session }) } as const;
            const client = await system.mqtt(credential, { id: device.id, version, tls });
            // 3.1.1 has code 5 for it, 5 has 0x87; a handshake without certificate ends before.
            const refusals = [undefined, version === 5 ? 0x87 : 5];
            expect([maxVersion, session !== undefined, refusals.includes(client.connack)]).toEqual([
              maxVersion,
              session !== undefined,
              true,
            ]);
            expect(client.delivered).toEqual([]);
          }
        }
      }
    });

    it('gets no message that was queued for it, and none it left behind is shown to anybody', async () => {
      const device = await newDevice();
      const queued = `devices/${device.id}/queued`;
      const retained = `devices/${device.id}/retained`;
      const session = { id: device.id, version, clean: false, ...(version === 5 ? { expiry: 3_600 } : {}) };
      const client = await system.mqtt(device, session);
      await client.subscribe(queued, 1);
      await client.publishOnce(retained, true);
      await client.publishOnce(queued);
      await client.until(({ kind }) => kind === 'publish');
      await ACTS[act](device);
      await client.closed;
      const refused = await system.mqtt(device, session);
      expect(refused.delivered).toEqual([]);
      if (act !== 'revoked') return;
      const again = await system.mqtt(await readmitted(act, device), session);
      expect(await again.subscribe(retained)).toBe(0);
      await again.publishOnce(`devices/${device.id}/done`);
      expect(again.delivered).toEqual([]);
    });
  });

  describe('over HTTPS', () => {
    it('is cut while its connection is idle', async () => {
      const device = await newDevice();
      const socket = httpsSocket(device);
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      socket.write(CA_CERTS);
      await new Promise((resolve) => socket.once('data', resolve));
      await cutBy(act, device, { closed: closing(socket), what: 'HTTPS, idle' });
    });

    it('is cut in the middle of a download', async () => {
      const device = await newDevice();
      const jobId = await system.rollOut({ product: 'lamp', version: `2.0.${serials}` }, firmware, [device.id]);
      const socket = httpsSocket(device);
      let received = 0;
      const begun = new Promise<void>((resolve) => {
        socket.once('data', () => {
          socket.pause();
          resolve();
        });
      });
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      socket.write(`GET /artifacts/${jobId} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      await begun;
      // Nothing is read meanwhile, so the server cannot be done before the act.
      await cutBy(act, device, {
        closed: closing(socket),
        what: 'HTTPS, downloading',
        afterAct: () => socket.resume(),
      });
      expect(received).toBeGreaterThan(0);
      expect(received).toBeLessThan(FIRMWARE_BYTES);
      expect((await system.https('GET', `/artifacts/${jobId}`, { credential: device })).status).not.toBe(200);
      if (act !== 'revoked') return;
      const { executions } = await system.api.call('jobs.show', { job: jobId });
      expect(executions.map(({ status }) => status)).toEqual(['CANCELED']);
    });

    it('finds no door open, full or resumed, and renews nothing', async () => {
      const device = await newDevice();
      const tickets = {
        'TLSv1.2': await httpsTicket(device, 'TLSv1.2'),
        'TLSv1.3': await httpsTicket(device, 'TLSv1.3'),
      };
      await ACTS[act](device);
      for (const maxVersion of TLS) {
        for (const session of [undefined, tickets[maxVersion]]) {
          for (const credential of [device, undefined]) {
            for (const request of [CA_CERTS, RENEWAL]) {
              const tls = { maxVersion, ...(session === undefined ? {} : { session }) };
              expect(await heard(httpsSocket(credential, tls), request)).not.toMatch(/^HTTP\/1.1 2/);
            }
          }
        }
      }
      const key = await generatePrivateKey('P-256');
      expect((await system.est('simplereenroll', device, await csrFor({ key, serial: device.id }))).status).toBe(403);
    });
  });
});

describe('a claim', () => {
  let clients: MqttClient[] = [];
  afterEach(() => {
    for (const client of clients) client.socket.destroy();
    clients = [];
  });
  const connectClaim = async (serial: string, tls: object = {}) => {
    const claim = await system.addClaim({ product: 'lamp', serials: [serial] });
    const client = await system.mqtt(credentialOf(claim), { id: serial, tls });
    clients.push(client);
    return { claim, client };
  };
  const csrPem = async (serial: string) =>
    encodePem('CERTIFICATE REQUEST', await csrFor({ key: await generatePrivateKey('P-256'), serial }));

  it('that holds an ownership token cannot use it once the device it is for is revoked', async () => {
    const device = await newDevice();
    const { client } = await connectClaim(device.id);
    const order = { format: 'json', serial: device.id, csrPem: await csrPem(device.id) } as const;
    const pending = await createCertificate(client, order);
    if (typeof pending === 'string') throw new TypeError(pending);
    await ACTS.revoked(device);
    expect(await registerThing(client, order, pending.certificateOwnershipToken)).toBe('identity.device_revoked');
  });

  it('that is cancelled is cut, and its token is worth nothing to another connection', async () => {
    const { claim, client } = await connectClaim('never-1');
    const order = { format: 'json', serial: 'never-1', csrPem: await csrPem('never-1') } as const;
    const pending = await createCertificate(client, order);
    if (typeof pending === 'string') throw new TypeError(pending);
    const begun = systemClock.monotonicMs();
    const cut = client.closed.then(() => systemClock.monotonicMs() - begun);
    await system.api.call('claims.cancel', { claim: claim.id });
    figures.set('claim, cancelled', await cut);
    expect(await cut).toBeLessThan(LIMIT_MS);
    const other = await connectClaim('never-1');
    expect(await registerThing(other.client, order, pending.certificateOwnershipToken)).toBe('identity.bad_token');
  });

  it.each(TLS)('never has the rights of the device it registered, on %s, full or resumed', async (maxVersion) => {
    const serial = `claimed-${maxVersion.at(-1)}`;
    const { claim, client } = await connectClaim(serial, { maxVersion });
    const order = { format: 'cbor', serial, csrPem: await csrPem(serial) } as const;
    const created = await createCertificate(client, order);
    if (typeof created === 'string') throw new TypeError(created);
    expect(await registerThing(client, order, created.certificateOwnershipToken)).toBe('allowed');
    expect(await client.publishOnce(`devices/${serial}/state`)).not.toBe(0);
    await client.closed;
    for (const topic of [`devices/${serial}/commands`, `$aws/things/${serial}/jobs/notify`, '#']) {
      const resumed = await system.mqtt(credentialOf(claim), {
        id: serial,
        tls: { maxVersion, session: client.ticket },
      });
      if (resumed.connack === 0) expect(await resumed.subscribe(topic)).not.toBeLessThanOrEqual(1);
      expect(resumed.delivered).toEqual([]);
    }
    const job = await system.https('GET', '/artifacts/any', { credential: credentialOf(claim), tls: { maxVersion } });
    expect(job.status).toBe(403);
  });
});

describe('a certificate whose time is over', () => {
  it.each(TLS)('ends its live connection and is refused when %s is resumed', async (maxVersion) => {
    const device = await newDevice();
    const live = await system.mqtt(device, { id: device.id, tls: { maxVersion } });
    await expect.poll(() => live.ticket).toBeDefined();
    const httpsSession = await httpsTicket(device, maxVersion);
    system.clock.jump(YEAR_AND_A_DAY_MS);
    try {
      await live.closed;
      for (const session of [undefined, live.ticket]) {
        const tls = { maxVersion, ...(session === undefined ? {} : { session }) } as const;
        const client = await system.mqtt(device, { id: device.id, tls });
        expect(client.connack ?? 0x87).toBe(0x87);
      }
      const said = await heard(httpsSocket(device, { maxVersion, session: httpsSession }), CA_CERTS);
      expect(said).not.toMatch(/^HTTP\/1.1 2/);
    } finally {
      system.clock.jump(-YEAR_AND_A_DAY_MS);
    }
  });

  it('does not become good again after a revocation, wherever the clock is set', async () => {
    const device = await newDevice();
    await ACTS.revoked(device);
    for (const byMs of [86_400_000, -86_400_000, 10 * YEAR_AND_A_DAY_MS, -2 * YEAR_AND_A_DAY_MS]) {
      system.clock.jump(byMs);
      const client = await system.mqtt(device, { id: device.id });
      const answer = await system.https('GET', '/.well-known/est/cacerts', { credential: device });
      system.clock.jump(-byMs);
      expect([byMs, client.connack ?? 0x87, answer.status]).toEqual([byMs, 0x87, 403]);
    }
    const other = await newDevice();
    expect((await system.mqtt(other, { id: other.id })).connack).toBe(0);
  });
});

const YEAR_AND_A_DAY_MS = 366 * 86_400_000;
