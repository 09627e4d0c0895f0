import { systemRandom } from '@holdfast/kernel';
import { Ratchet } from '@holdfast/trust/identity';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const DAY = 86_400_000;
const coded = (code: string) => expect.objectContaining({ code });

let world: IdentityWorld;
let ratchet: Ratchet;
let device: DevicePrincipal;

/** One holder of a device's key and memory: the device, or whoever copied it. */
class Holder {
  values: readonly Uint8Array[];
  readonly address: string;

  constructor(address: string, values: readonly Uint8Array[] = []) {
    this.address = address;
    this.values = values;
  }

  connect(): Promise<'admitted' | 'quarantined'> {
    return ratchet.admit(device, { shown: this.values, remoteAddress: this.address });
  }

  /** As the device SDK does; stops behind the step that is named. */
  async turn(until?: 'offered' | 'kept' | 'turned'): Promise<void> {
    const [held] = this.values;
    const next = await ratchet.offer(device);
    if (until === 'offered') return;
    this.values = held === undefined ? [next] : [next, held];
    if (until === 'kept') return;
    await ratchet.turn(device, next, this.address);
    if (until !== 'turned') this.values = [next];
  }
}

beforeEach(async () => {
  world = await openIdentityWorld();
  await world.addProduct('lamp');
  const { clock, opened, registry, repositories } = world;
  const { store, audit } = opened;
  ratchet = new Ratchet({
    ...repositories,
    clock,
    store,
    audit,
    registry,
    random: systemRandom,
    key: new Uint8Array(32),
  });
  const claim = await world.addClaim({ serials: ['lamp-1'] });
  await world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
  const [certificate] = await repositories.certificates.ofDevice('default', 'lamp-1');
  device = { kind: 'device', tenant: 'default', deviceId: 'lamp-1', fingerprint: certificate?.fingerprint ?? '' };
});
afterEach(() => world.opened.close());

const stateOf = async () => (await world.registry.show('default', 'lamp-1')).state;

describe('the ratchet of a device', () => {
  it('asks nothing of a device that never took part', async () => {
    for (let at = 0; at < 3; at++) expect(await new Holder('192.0.2.1').connect()).toBe('admitted');
    expect(await ratchet.standing('default', 'lamp-1')).toBeUndefined();
  });

  it('lets a device in that shows what it turned to', async () => {
    const lamp = new Holder('192.0.2.1');
    for (let at = 0; at < 5; at++) {
      expect(await lamp.connect()).toBe('admitted');
      await lamp.turn();
    }
    expect(await ratchet.standing('default', 'lamp-1')).toMatchObject({ generation: 5, remoteAddress: '192.0.2.1' });
  });

  it.each([0, 1, 2].flatMap((turns) => (['offered', 'kept', 'turned'] as const).map((until) => ({ turns, until }))))(
    'does not lock a device out that lost power: $until, after $turns turns',
    async ({ turns, until }) => {
      const lamp = new Holder('192.0.2.1');
      for (let at = 0; at < turns; at++) await lamp.turn();
      await lamp.turn(until);
      expect(await lamp.connect()).toBe('admitted');
      const [next] = lamp.values;
      if (until !== 'offered' && next !== undefined) await ratchet.turn(device, next, lamp.address);
      expect(await lamp.connect()).toBe('admitted');
      expect(await stateOf()).toBe('active');
    },
  );

  it.each(['device', 'copy'] as const)(
    'notices a copy at its first double use, days apart, whoever comes second: the %s',
    async (second) => {
      const lamp = new Holder('192.0.2.1');
      await lamp.turn();
      const copy = new Holder('203.0.113.9', lamp.values);
      const [first, last] = second === 'copy' ? [lamp, copy] : [copy, lamp];
      expect(await first.connect()).toBe('admitted');
      await first.turn();
      const turnedAt = world.clock.now();
      world.clock.advance(9 * DAY);
      expect(await last.connect()).toBe('quarantined');
      const found = await world.registry.show('default', 'lamp-1');
      expect(found.state).toBe('quarantined');
      for (const word of [first.address, last.address, new Date(turnedAt).toISOString().slice(0, 10)]) {
        expect(found.stateReason).toContain(word);
      }
      const entry = (await world.audit()).find(({ action }) => action === 'device.quarantined');
      expect(JSON.parse(entry?.details ?? '')).toMatchObject({
        code: 'identity.clone_suspected',
        firstAddress: first.address,
        secondAddress: last.address,
        shown: 'old',
      });
    },
  );

  it('takes a device that comes without its value for a copy', async () => {
    await new Holder('192.0.2.1').turn();
    expect(await new Holder('203.0.113.9').connect()).toBe('quarantined');
    expect((await world.audit()).at(-1)?.details).toContain('"shown":"nothing"');
  });

  it('takes no value that it turned away from, however old', async () => {
    const lamp = new Holder('192.0.2.1');
    const kept: Uint8Array[] = [];
    for (let at = 0; at < 4; at++) {
      await lamp.turn();
      kept.push(...lamp.values);
    }
    expect(await new Holder('203.0.113.9', kept.slice(0, 2)).connect()).toBe('quarantined');
  });

  it('counts one turn for a value that is turned to again', async () => {
    const next = await ratchet.offer(device);
    await Promise.all([1, 2, 3].map(() => ratchet.turn(device, next, '192.0.2.1')));
    expect(await ratchet.standing('default', 'lamp-1')).toMatchObject({ generation: 1 });
  });

  it('turns once of many values that were offered together', async () => {
    const offered = await Promise.all([1, 2, 3].map(() => ratchet.offer(device)));
    const turns = await Promise.allSettled(offered.map((value) => ratchet.turn(device, value, '192.0.2.1')));
    expect(turns.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it.each<[string, () => Promise<Uint8Array>]>([
    ['of its own making', async () => systemRandom.bytes(48)],
    ['of another device', () => ratchet.offer({ ...device, deviceId: 'lamp-2' })],
    ['of another tenant', () => ratchet.offer({ ...device, tenant: 'other' })],
    ['cut short', async () => (await ratchet.offer(device)).subarray(0, 47)],
    ['made longer', async () => new Uint8Array([...(await ratchet.offer(device)), 0])],
    ['empty', async () => new Uint8Array()],
    [
      'offered before the last turn',
      async () => {
        const old = await ratchet.offer(device);
        await ratchet.turn(device, await ratchet.offer(device), '192.0.2.1');
        return old;
      },
    ],
  ])('does not turn to a value %s', async (_name, make) => {
    await expect(ratchet.turn(device, await make(), '192.0.2.1')).rejects.toThrowError(coded('identity.ratchet_stale'));
  });

  it('begins anew after an operator let the device back in, or reset it, and not by itself', async () => {
    const lamp = new Holder('192.0.2.1');
    await lamp.turn();
    await ratchet.reset(ADMIN, 'lamp-1');
    expect((await world.audit()).at(-1)).toMatchObject({ action: 'device.ratchet_reset', subject: 'lamp-1' });
    expect(await new Holder('192.0.2.1').connect()).toBe('admitted');
    await lamp.turn();
    expect(await new Holder('203.0.113.9').connect()).toBe('quarantined');
    await world.registry.readmit(ADMIN, 'lamp-1');
    expect(await ratchet.standing('default', 'lamp-1')).toBeUndefined();
    expect(await lamp.connect()).toBe('admitted');
  });

  it('keeps no value, only what it can be known by', async () => {
    const lamp = new Holder('192.0.2.1');
    await lamp.turn();
    const record = await ratchet.standing('default', 'lamp-1');
    expect(record?.valueSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(record?.valueSha256).not.toContain(
      Buffer.from(lamp.values[0] ?? [])
        .toString('hex')
        .slice(0, 16),
    );
  });
});
