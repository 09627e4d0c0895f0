import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestSystem } from '../../../packages/server/src/system/testing/system.ts';
import { freshDatabase } from './database.ts';

let system: TestSystem;
let store: string;

beforeAll(async () => {
  store = await freshDatabase();
  system = await TestSystem.start({ store });
});
afterAll(() => system.close());

describe('a server whose records are in PostgreSQL', () => {
  it('enrolls a device, carries its message, and cuts it when it is revoked', async () => {
    await system.addProduct('lamp');
    const device = await system.enroll('lamp-1');
    const client = await system.mqtt(device, { id: device.id });
    expect(client.connack).toBe(0);
    await client.subscribe('devices/lamp-1/echo', 1);
    await client.publishOnce('devices/lamp-1/echo', false, 'lit');
    await expect.poll(() => client.delivered).toEqual(['devices/lamp-1/echo']);

    await system.api.call('devices.revoke', { device: device.id, body: { reason: 'keyCompromise' } });
    await expect.poll(() => client.disconnect).toBe(0x98);
    expect((await system.mqtt(device, { id: device.id })).connack ?? 0x87).toBe(0x87);
  });

  it('is the same server when it starts again', async () => {
    const before = (await system.api.call('status.show', {})).rootFingerprint;
    await system.stop();
    await system.start({ store });
    expect((await system.api.call('status.show', {})).rootFingerprint).toBe(before);
    expect((await system.api.call('audit.verify', {})).kind).toBe('intact');
    expect((await system.api.call('devices.list', { query: {} })).rows.map(({ id }) => id)).toEqual(['lamp-1']);
  });
});
