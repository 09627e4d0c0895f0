import { silentLog } from '@holdfast/kernel';
import { RenewalWatch } from '@holdfast/trust/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const DAY = 86_400_000;

describe('the watch over renewals', () => {
  let world: IdentityWorld;
  let watch: RenewalWatch;

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    const { clock, repositories } = world;
    watch = new RenewalWatch({ clock, log: silentLog, certificates: repositories.certificates });
    for (const serial of ['lamp-1', 'lamp-2']) {
      await enroll(serial);
      clock.advance(60_000);
    }
  });
  afterEach(() => world.opened.close());

  async function enroll(serial: string): Promise<void> {
    const claim = await world.addClaim({ serials: [serial] });
    await world.enrollment.enrollDirect(claim, await makeCsr(), connection(serial, 'est'));
  }

  async function certificateOf(deviceId: string) {
    const all = await world.repositories.certificates.ofDevice('default', deviceId);
    const found = all.find(({ state }) => state === 'successor') ?? all.find(({ state }) => state === 'active');
    if (found === undefined) throw new TypeError('no certificate');
    return found;
  }

  it('finds nobody before five sixths of a life, and everybody who did not renew after', async () => {
    expect(await watch.look('default')).toEqual({ devices: 0, first: undefined });
    world.clock.advance(74 * DAY);
    expect((await watch.look('default')).devices).toBe(0);
    world.clock.advance(2 * DAY);
    const { notAfter } = await certificateOf('lamp-1');
    expect(await watch.look('default')).toEqual({ devices: 2, first: { deviceId: 'lamp-1', notAfter } });
    world.clock.advance(90 * DAY);
    expect((await watch.look('default')).devices).toBe(2);
  });

  it('is content with a device that renewed and came back with it, and with one that is held or gone', async () => {
    world.clock.advance(70 * DAY);
    const { fingerprint } = await certificateOf('lamp-1');
    const principal = { kind: 'device', tenant: 'default', deviceId: 'lamp-1', fingerprint } as const;
    await world.enrollment.renew(principal, await makeCsr(), connection('r', 'est'));
    world.clock.advance(6 * DAY);
    expect((await watch.look('default')).devices).toBe(2);
    await world.peers.identify((await certificateOf('lamp-1')).fingerprint, world.clock.now());
    expect(await watch.look('default')).toMatchObject({ devices: 1, first: { deviceId: 'lamp-2' } });
    await world.registry.suspend(ADMIN, 'lamp-2');
    expect((await watch.look('default')).devices).toBe(0);
  });
});
