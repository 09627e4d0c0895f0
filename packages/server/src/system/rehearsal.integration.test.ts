import { generateKeyPairSync } from 'node:crypto';
import { seededRandom } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestSystem } from './testing/system.ts';

const PRODUCT = 'hub';
const SLOT = 64 * 1024;
const coded = (code: string) => expect.objectContaining({ problem: expect.objectContaining({ code }) }) as unknown;

let system: TestSystem;

beforeAll(async () => {
  system = await TestSystem.start();
  const boot = { format: 'mcuboot', slotSize: SLOT, align: 4, chip: 'nrf52840' } as const;
  await system.api.call('products.create', { body: { name: PRODUCT, boot } });
});
afterAll(() => system.close());

async function publish(version: string, securityCounter: number): Promise<string> {
  const octets = seededRandom(securityCounter).bytes(6000);
  const { id: artifactId } = await system.api.call('artifacts.upload', { octets });
  const body = { product: PRODUCT, version, securityCounter, artifactId };
  return (await system.api.call('releases.create', { body })).id;
}

const ended = async (release: string) => {
  const states = async () => (await system.api.call('releases.rehearsal', { release })).state;
  await expect.poll(states, { timeout: 60_000 }).not.toBe('running');
  return system.api.call('releases.rehearsal', { release });
};

describe('a release that was published', () => {
  it('is rehearsed by itself on a thread, from the firmware the factory puts on devices, and keeps its report', async () => {
    expect((await ended(await publish('1.0.0', 1))).state).toBe('passed');
    const { report, state } = await ended(await publish('2.0.0', 2));
    expect(state).toBe('passed');
    expect(report).toMatchObject({ chip: 'nrf52840', strategy: 'swap-move', cuts: 24 });
    expect(report?.steps.find(({ kind }) => kind === 'update')).toMatchObject({ name: '1.0.0 (factory)', cuts: 24 });
  });

  it('shows the report with the release, and asks for no second one while the field is as it was', async () => {
    const release = await publish('2.1.0', 2);
    const first = await ended(release);
    await system.api.call('releases.rehearse', { release });
    expect(await ended(release)).toEqual(first);
    expect((await system.api.call('releases.show', { release })).rehearsal).toEqual(first);
  });

  it('is rehearsed anew on another chip of the product, which must be one that boots its images', async () => {
    const release = await publish('4.0.0', 4);
    await ended(release);
    const chip = (name: string) => system.api.call('products.set-chip', { product: PRODUCT, body: { chip: name } });
    await expect(chip('esp32')).rejects.toEqual(coded('boot.bad_option'));
    expect((await chip('lpc55s69')).boot).toMatchObject({ chip: 'lpc55s69', strategy: 'overwrite-only' });
    await system.api.call('releases.rehearse', { release });
    expect((await ended(release)).report).toMatchObject({ chip: 'lpc55s69', strategy: 'overwrite-only' });
  });

  it('goes to no device when the fuses of the chip cannot hold its counter', async () => {
    await system.api.call('products.set-chip', { product: PRODUCT, body: { chip: 'stm32l4' } });
    const releaseId = await publish('5.0.0', 300);
    const { state, report } = await ended(releaseId);
    expect(state).toBe('refused');
    expect(report?.steps.find(({ result }) => result === 'refused')?.code).toBe('device.counter_too_high');
    const device = { id: 'hub-1', serial: 'hub-1', product: PRODUCT, hardwareRevision: 'rev-a' };
    await system.api.call('devices.create', { body: device });
    const rollout = system.api.call('rollouts.create', { body: { releaseId, devices: ['hub-1'] } });
    await expect(rollout).rejects.toEqual(coded('boot.rehearsal_refused'));
  });
});

describe('the keys of a product', () => {
  const KEYED = 'valve';
  const keys = (product = KEYED) => system.api.call('products.keys', { product });
  const release = async (version: string, securityCounter: number) => {
    const { id: artifactId } = await system.api.call('artifacts.upload', {
      octets: seededRandom(securityCounter).bytes(3000),
    });
    return system.api.call('releases.create', { body: { product: KEYED, version, securityCounter, artifactId } });
  };

  it('rotate by API: what devices do not hold is refused, and so is a release that they would not boot', async () => {
    const boot = { format: 'mcuboot', slotSize: SLOT, align: 4 } as const;
    await system.api.call('products.create', { body: { name: KEYED, boot } });
    const [first] = (await keys()).rows;
    await release('1.0.0', 1);
    const device = { id: 'valve-1', serial: 'valve-1', product: KEYED, hardwareRevision: 'rev-a' };
    await system.api.call('devices.create', { body: device });
    const next = await system.api.call('products.add-key', { product: KEYED, body: {} });
    expect(next).toMatchObject({ slot: 1, state: 'next', custody: 'sealed' });
    const rotate = (strand?: boolean) =>
      system.api.call('products.rotate-key', { product: KEYED, body: { reason: 'test', strand } });
    await expect(rotate()).rejects.toEqual(coded('boot.rotation_strands'));
    expect(await rotate(true)).toMatchObject({ id: next.id, state: 'active' });
    const { id } = await release('2.0.0', 2);
    const { state, report } = await ended(id);
    expect(state).toBe('refused');
    expect(report?.steps.at(-1)).toMatchObject({ name: '1.0.0 (factory)', code: 'boot.unknown_key' });
    const rollout = system.api.call('rollouts.create', { body: { releaseId: id, devices: ['valve-1'] } });
    await expect(rollout).rejects.toEqual(coded('boot.rehearsal_refused'));

    const anchors = await system.api.call('trust-anchors.show', { product: KEYED });
    expect(anchors.imageKeyPem).toBe(next.publicKeyPem);
    expect(anchors.imageKeysPem).toBe(`${first?.publicKeyPem}${next.publicKeyPem}`);
    const revoked = { product: KEYED, key: first?.id ?? '', body: { reason: 'lost' } };
    expect((await system.api.call('products.revoke-key', revoked)).state).toBe('revoked');
  });

  it('sign nothing here when the active one is kept elsewhere: its images come in signed', async () => {
    const product = 'pump';
    await system.api.call('products.create', { body: { name: product } });
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const added = await system.api.call('products.add-key', { product, body: { publicKeyPem } });
    expect(added).toMatchObject({ custody: 'offline', publicKeyPem });
    await system.api.call('products.rotate-key', { product, body: { reason: 'ours alone' } });
    const { id: artifactId } = await system.api.call('artifacts.upload', { octets: seededRandom(9).bytes(3000) });
    const body = { product, version: '1.0.0', securityCounter: 1, artifactId };
    const release = system.api.call('releases.create', { body });
    await expect(release).rejects.toEqual(coded('boot.private_key_needed'));
  });
});
