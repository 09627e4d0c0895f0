import { connect } from 'node:tls';
import { systemClock } from '@holdfast/kernel';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type EnrolledDevice, type ListenerName, TestSystem } from './testing/system.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

let system: TestSystem;
let lamp: EnrolledDevice;
let shifted = 0;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
  lamp = await system.enroll('lamp-1');
});
afterAll(() => system.close());

function shift(byMs: number): void {
  shifted += byMs;
  system.clock.jump(byMs);
  system.clock.hurry(HOUR_MS);
}
afterEach(async () => {
  shift(-shifted);
  const probe = () => system.https('GET', '/.well-known/est/cacerts', { credential: lamp });
  await expect.poll(async () => (await probe()).status).toBe(200);
});

interface Shown {
  readonly serial: string;
  /** Whether it is in force by the machine's own clock, which no test moves. */
  readonly isInForce: boolean;
}

/** The certificate a TLS door shows. */
function shownBy(door: ListenerName): Promise<Shown> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port: system.port(door),
      servername: 'localhost',
      key: lamp.keyPem,
      cert: lamp.pem,
      // The machine's clock did not move, so it cannot judge these dates.
      rejectUnauthorized: false,
    });
    socket.once('secureConnect', () => {
      const { serialNumber: serial, valid_from: from, valid_to: to } = socket.getPeerCertificate();
      const now = systemClock.now();
      resolve({ serial, isInForce: Date.parse(from) <= now && now < Date.parse(to) });
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

const TLS_DOORS = ['mqtt', 'https', 'enrollment', 'management'] as const;
const shownAtDoors = () => Promise.all(TLS_DOORS.map(shownBy));
const shown = async () => (await shownAtDoors()).map(({ serial }) => serial);

/** Of each door, whether its certificate is in force by the machine's clock, after another hourly round. */
const inForceNextRound = async () => {
  system.clock.hurry(HOUR_MS);
  return new Set((await shownAtDoors()).map(({ isInForce }) => isInForce));
};

describe('the certificate of the server', () => {
  it('stays until two thirds of its life and is another one then, at every door, while a connection stays', async () => {
    const client = await system.mqtt(lamp, { id: 'lamp-1' });
    const first = await shown();
    expect(new Set(first).size).toBe(1);
    shift(59 * DAY_MS);
    expect(await shown()).toEqual(first);
    shift(1 * DAY_MS + HOUR_MS);
    await expect.poll(async () => (await shown()).filter((serial) => first.includes(serial))).toEqual([]);
    expect(new Set(await shown()).size).toBe(1);
    expect(await client.publishOnce('devices/lamp-1/state')).not.toBe(0x87);
    expect(client.socket.destroyed).toBe(false);
  });

  it('made while the clock was ahead is replaced when the clock is set right', async () => {
    shift(61 * DAY_MS);
    await expect.poll(inForceNextRound).toEqual(new Set([false]));
    shift(-shifted);
    await expect.poll(inForceNextRound).toEqual(new Set([true]));
    expect((await system.https('GET', '/.well-known/est/cacerts', { credential: lamp })).status).toBe(200);
  });
});

describe('a clock that jumps', () => {
  it.each([
    ['a day on', DAY_MS],
    ['a day back', -DAY_MS],
    ['ten years on', 3_653 * DAY_MS],
    ['ten years back', -3_653 * DAY_MS],
  ])('%s breaks nothing, and what was revoked stays so', async (_, byMs) => {
    const gone = await system.enroll(`gone-${byMs}`);
    const own = await system.enroll(`own-${byMs}`);
    await system.api.call('devices.revoke', { device: gone.id, body: {} });
    shift(byMs);
    // Some may be refused at another time, but none may fail inside.
    const calls = [
      system.addClaim({ product: 'lamp' }),
      system.api.call('devices.list', {}),
      system.api.call('audit.verify', {}),
      system.api.call('jobs.create', { body: { jobId: `job${byMs}`, devices: [own.id], document: {} } }),
    ];
    const codes = await Promise.all(calls.map((call) => system.code(call)));
    expect(codes.filter((code) => code.includes('internal'))).toEqual([]);
    for (const device of [gone, own]) {
      const client = await system.mqtt(device, { id: device.id });
      const isOld = device === gone || Math.abs(byMs) > DAY_MS;
      expect([device.id, isOld && client.connack === 0]).toEqual([device.id, false]);
    }
    shift(-byMs);
    expect((await system.mqtt(gone, { id: gone.id })).connack ?? 0x87).toBe(0x87);
    expect((await system.mqtt(own, { id: own.id })).connack).toBe(0);
    expect((await system.api.call('audit.verify', {})).kind).toBe('intact');
  });

  it('leaves nobody connected whose certificate is over, whichever way it went', async () => {
    const live = await system.mqtt(lamp, { id: 'lamp-1' });
    shift(3_653 * DAY_MS);
    await live.closed;
    expect(live.socket.destroyed).toBe(true);
  });

  it('has left no failure in the log that nobody worded', () => {
    const errors = system.logged.filter(({ level, message }) => level === 'error' && !message.includes('not renewed'));
    expect(
      errors.filter(({ fields }) => fields['code'] === 'kernel.internal' || fields['cause'] !== undefined),
    ).toEqual([]);
  });
});
