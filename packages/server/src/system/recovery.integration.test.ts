import {
  createSigner,
  generatePrivateKey,
  importPublicKeyPem,
  mcubootPublicKey,
  prepareMcubootImage,
} from '@holdfast/crypto';
import { type BoardName, encodeBootProgram, type ManufacturedDevice, manufactureDevice } from '@holdfast/device';
import { encodeBase64, encodeUtf8, seededRandom } from '@holdfast/kernel';
import { decodeDsseEnvelope } from '@holdfast/wire/dsse';
import { decodeReleaseRoot } from '@holdfast/wire/manifest';
import { parseVersion } from '@holdfast/wire/mcuboot';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RunningDevice } from '../../../device/src/testing/fleet.ts';
import { TestSystem } from './testing/system.ts';

const PRODUCT = 'hub';
const REVISION = 'rev-a';
const BOARDS: readonly BoardName[] = ['nrf52840', 'lpc55s69', 'psoc64', 'stm32f4'];

let system: TestSystem;
let first: Uint8Array;
let release: string;
const running: RunningDevice[] = [];

beforeAll(async () => {
  system = await TestSystem.start();
  const boot = { format: 'mcuboot', slotSize: 256 * 1024, align: 4 } as const;
  await system.api.call('products.create', { body: { name: PRODUCT, boot } });
  first = await system.api.call('releases.image', { release: await publish('1.0.0', 1) });
  release = await publish('2.0.0', 2);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((device) => device.stop()));
});
afterAll(() => system.close());

async function publish(version: string, securityCounter: number): Promise<string> {
  const octets = seededRandom(securityCounter).bytes(30_000);
  const { id: artifactId } = await system.api.call('artifacts.upload', { octets });
  const body = { product: PRODUCT, version, securityCounter, artifactId };
  return (await system.api.call('releases.create', { body })).id;
}

/** The factory step, told to the registry. */
async function manufacture(serial: string, board: BoardName): Promise<ManufacturedDevice> {
  const anchors = await system.api.call('trust-anchors.show', { product: PRODUCT });
  const bootKey = await generatePrivateKey('P-256');
  const prepared = prepareMcubootImage(
    encodeBootProgram([importPublicKeyPem(anchors.imageKeyPem).spki]),
    { version: parseVersion('1.0.0'), headerSize: 32, securityCounter: 0, padHeader: true },
    mcubootPublicKey(bootKey.keyObject),
  );
  const root = decodeDsseEnvelope(encodeUtf8(JSON.stringify(anchors.releaseRoot)));
  const made = manufactureDevice({
    tenant: 'default',
    product: PRODUCT,
    hardwareRevision: REVISION,
    serial,
    board,
    bootloader: prepared.finish(await createSigner(bootKey).sign(prepared.request.message)),
    firmware: first,
    trust: {
      tlsAnchors: [anchors.tlsAnchorsPem],
      bootKey: bootKey.publicKey.spki,
      releaseRoot: decodeReleaseRoot(root.payload),
    },
  });
  const attestationAnchor = encodeBase64(made.attestationAnchor);
  const { ueid } = made.profile;
  const body = { id: serial, serial, product: PRODUCT, hardwareRevision: REVISION, attestationAnchor, ueid };
  await system.api.call('devices.create', { body });
  return made;
}

async function run(
  made: ManufacturedDevice,
  options: { readonly selfTest?: (version: string) => boolean; readonly claimed?: boolean } = {},
): Promise<RunningDevice> {
  const { claimed = true, ...rest } = options;
  const { serial } = made.profile;
  const claim = claimed ? await system.addClaim({ product: PRODUCT, serials: [serial] }) : undefined;
  const ports = { mqttPort: system.port('mqtt'), httpsPort: system.port('https') };
  const enrollment =
    claim === undefined ? {} : { enrollment: { kind: 'fleet', claim, format: 'json', key: 'csr' } as const };
  const device = new RunningDevice(ports, { device: made, transport: 'https', ...enrollment, ...rest });
  running.push(device);
  return device;
}

async function stop(device: RunningDevice): Promise<void> {
  running.splice(running.indexOf(device), 1);
  await device.stop();
}

/** Both slots hold what no key signed. */
function ruin({ device }: ManufacturedDevice): void {
  const flash = device.flash.snapshot();
  for (const { address } of [device.plan.primary, device.plan.secondary]) flash.fill(0x5a, address + 40, address + 80);
  device.flash.restoreSnapshot(flash);
}

const posture = async (device: string) => (await system.api.call('devices.show', { device })).posture;

describe('a device with nothing left to boot', () => {
  it.each(BOARDS)('says so, is held to updates, and is healed by one over mutual TLS: %s', async (board) => {
    const serial = `hub-${board}`;
    const made = await manufacture(serial, board);
    const before = await run(made);
    await before.until({ kind: 'evidence' });
    expect((await posture(serial)).state).toBe('proven');
    await stop(before);

    ruin(made);
    const device = await run(made, { claimed: false });
    await device.until({ kind: 'booted', mode: 'safe-mode' });
    await device.until({ kind: 'evidence' });
    const shown = await posture(serial);
    expect(shown.state).toBe('restricted');
    expect(shown.reasons.map(({ code }) => code)).toEqual(['posture.recovery']);

    await system.api.call('rollouts.create', { body: { releaseId: release, devices: [serial] } });
    await device.until({ kind: 'booted', mode: 'application', version: '2.0.0', bootState: 'confirmed' });
    await device.until({ kind: 'job', status: 'SUCCEEDED' });
    await expect.poll(async () => (await posture(serial)).state).toBe('proven');
    expect(made.device.securityCounter).toBe(2);
  });

  it('is healed when it has both images but none of them stays up', async () => {
    const made = await manufacture('hub-loop', 'nrf52840');
    const device = await run(made);
    await device.until({ kind: 'evidence' });
    await stop(device);
    const again = await run(made, { claimed: false, selfTest: (version) => version !== '1.0.0' });
    await again.until({ kind: 'booted', mode: 'safe-mode', code: 'device.safe_mode' });
    await system.api.call('rollouts.create', { body: { releaseId: release, devices: ['hub-loop'] } });
    await again.until({ kind: 'booted', mode: 'application', version: '2.0.0', bootState: 'confirmed' });
    expect(again.events.filter(({ kind }) => kind === 'enrolled')).toEqual([]);
  });

  it('enrolls nothing, even with a claim in hand', async () => {
    const made = await manufacture('hub-fresh', 'nrf52840');
    ruin(made);
    const device = await run(made);
    await expect(device.until({ kind: 'enrolled' })).rejects.toMatchObject({ code: 'device.not_enrolled' });
    running.splice(running.indexOf(device), 1);
    expect((await posture('hub-fresh')).state).not.toBe('proven');
  });
});
