import { silentLog, systemRandom } from '@holdfast/kernel';
import { Campaigns } from '@holdfast/trust/identity';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const MINUTE = 60_000;
const coded = (code: string) => expect.objectContaining({ code });

let world: IdentityWorld;
let campaigns: Campaigns;
let timer: { close(): Promise<void> };

function open(): void {
  const { clock, opened, repositories } = world;
  const { store, audit } = opened;
  campaigns = new Campaigns({ ...repositories, clock, store, audit, random: systemRandom, log: silentLog });
  timer = campaigns.start('default');
}

beforeEach(async () => {
  world = await openIdentityWorld();
  await world.addProduct('lamp');
  await world.addProduct('lock');
  open();
});
afterEach(async () => {
  await timer.close();
  await world.opened.close();
});

async function enroll(serial: string, product = 'lamp', groups: readonly string[] = []): Promise<DevicePrincipal> {
  const claim = await world.addClaim({ serials: [serial], product, groups });
  await world.enrollment.enrollDirect(claim, await makeCsr(), connection(serial, 'est'));
  return principalOf(serial);
}

async function principalOf(deviceId: string): Promise<DevicePrincipal> {
  const all = await world.repositories.certificates.ofDevice('default', deviceId);
  const current = all.find(({ state }) => state === 'active' || state === 'successor');
  return { kind: 'device', tenant: 'default', deviceId, fingerprint: current?.fingerprint ?? '' };
}

/** Steps small enough that no turn of the timer is left out, and what each began is done. */
async function pass(ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 6000) {
    world.clock.advance(6000);
    await new Promise((resolve) => setImmediate(resolve));
    await timer.close();
    timer = campaigns.start('default');
  }
}

const namesOf = (count: number) => Array.from({ length: count }, (_, at) => `lamp-${String(at).padStart(3, '0')}`);

describe('a renewal campaign', () => {
  it('reaches devices at its rate, in order of their ids, and ends', async () => {
    const devices: DevicePrincipal[] = [];
    for (const name of namesOf(5)) devices.push(await enroll(name));
    world.clock.advance(1000);
    const { campaignId } = await campaigns.begin(ADMIN, { perMinute: 2 });
    const reached = async () =>
      (await Promise.all(devices.map((each) => campaigns.reaches(each)))).filter(Boolean).length;
    expect(await reached()).toBe(0);
    await pass(MINUTE);
    expect(await reached()).toBe(2);
    await pass(MINUTE);
    expect(await reached()).toBe(4);
    await pass(2 * MINUTE);
    expect(await reached()).toBe(5);
    expect(await campaigns.show('default', campaignId)).toMatchObject({ state: 'done', reached: 5 });
  });

  it('goes on where it was after a restart', async () => {
    for (const name of namesOf(4)) await enroll(name);
    world.clock.advance(1000);
    const { campaignId } = await campaigns.begin(ADMIN, { perMinute: 2 });
    await pass(MINUTE);
    await timer.close();
    open();
    expect(await campaigns.show('default', campaignId)).toMatchObject({ state: 'running', reached: 2 });
    await pass(2 * MINUTE);
    expect(await campaigns.show('default', campaignId)).toMatchObject({ state: 'done', reached: 4 });
  });

  it('is over for a device whose certificate is newer than it', async () => {
    const lamp = await enroll('lamp-1');
    world.clock.advance(1000);
    const campaign = await campaigns.begin(ADMIN, { perMinute: 60 });
    await pass(MINUTE);
    expect(await campaigns.reaches(lamp)).toBe(true);
    expect(await campaigns.progress(campaign)).toEqual({ devices: 1, renewed: 0 });
    await world.enrollment.renew(lamp, await makeCsr(), connection('r', 'est'));
    const renewed = await principalOf('lamp-1');
    await world.peers.identify(renewed.fingerprint, world.clock.now());
    expect(await campaigns.reaches(renewed)).toBe(false);
    expect(await campaigns.progress(campaign)).toEqual({ devices: 1, renewed: 1 });
  });

  it('is for its product and its group alone', async () => {
    const lamp = await enroll('lamp-1', 'lamp', ['pilot']);
    const other = await enroll('lamp-2', 'lamp');
    const lock = await enroll('lock-1', 'lock', ['pilot']);
    world.clock.advance(1000);
    const campaign = await campaigns.begin(ADMIN, { product: 'lamp', group: 'pilot', perMinute: 60 });
    await pass(MINUTE);
    expect(await Promise.all([lamp, other, lock].map((each) => campaigns.reaches(each)))).toEqual([true, false, false]);
    expect(await campaigns.progress(campaign)).toEqual({ devices: 1, renewed: 0 });
  });

  it('tells nobody any more once it is stopped', async () => {
    const lamp = await enroll('lamp-1');
    world.clock.advance(1000);
    const { campaignId } = await campaigns.begin(ADMIN, { perMinute: 60 });
    await pass(MINUTE);
    await campaigns.stop(ADMIN, campaignId);
    expect(await campaigns.reaches(lamp)).toBe(false);
    expect((await campaigns.stop(ADMIN, campaignId)).state).toBe('stopped');
    const actions = (await world.audit()).map(({ action }) => action);
    expect(actions.filter((action) => action.startsWith('campaign.'))).toEqual([
      'campaign.started',
      'campaign.stopped',
    ]);
  });

  it.each([0, -1, 1.5, 60_001])('refuses a rate of %d a minute', async (perMinute) => {
    await expect(campaigns.begin(ADMIN, { perMinute })).rejects.toThrowError(coded('request.invalid'));
  });

  it('says that there is no such campaign', async () => {
    await expect(campaigns.show('default', 'renew-none')).rejects.toThrowError(coded('identity.unknown_campaign'));
  });
});
