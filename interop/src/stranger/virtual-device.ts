import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type BoardName, encodeBootProgram, VirtualDevice } from '@holdfast/device';
import { seededRandom, systemRandom } from '@holdfast/kernel';
import { check, expectEqual, type Stranger } from '../stranger.ts';
import type { HoldfastWorld } from '../world/holdfast-world.ts';
import { versionOf } from './image-tools.ts';
import { PythonDriver } from './python-driver.ts';

/** Each with flash of another kind: sector size, write unit, way to swap. */
const BOARDS: readonly BoardName[] = ['nrf52840', 'stm32l4', 'stm32f4'];

const IMGTOOL = ['imgtool.main:imgtool', 'imgtool'] as const;

const KEYS: Readonly<Record<string, () => KeyObject>> = {
  'ecdsa-p256': () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey,
  ed25519: () => generateKeyPairSync('ed25519').privateKey,
  'rsa-2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  'rsa-3072': () => generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey,
};

export const virtualDevice: Stranger = {
  name: 'imgtool images on the virtual device',
  source: 'PyPI',
  deed: 'bootloader and firmware signed by imgtool boot, update by test and confirm, and are refused when altered',
  install: 'pip install imgtool',
  version: () => versionOf(IMGTOOL),
  meet: async (world, report) => {
    const driver = new PythonDriver(IMGTOOL);
    try {
      for (const [kind, generate] of Object.entries(KEYS)) {
        const tool = new SigningTool(driver, world, kind, generate());
        for (const board of BOARDS) {
          await check(report, `${kind} on ${board}`, () => liveThrough(tool, board));
        }
      }
    } finally {
      driver.close();
    }
  },
};

/** imgtool with one key for the bootloader and firmware alike. */
class SigningTool {
  readonly spki: Uint8Array;
  readonly #driver: PythonDriver;
  readonly #folder: string;
  readonly #keyFile: string;

  constructor(driver: PythonDriver, world: HoldfastWorld, kind: string, key: KeyObject) {
    this.#driver = driver;
    this.#folder = world.scratch('imgtool');
    this.#keyFile = path.join(this.#folder, `${kind}.pem`);
    writeFileSync(this.#keyFile, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    this.spki = Uint8Array.from(createPublicKey(key).export({ type: 'spki', format: 'der' }));
  }

  async sign(payload: Uint8Array, version: string, counter: number): Promise<Uint8Array> {
    const [plain, signed] = [path.join(this.#folder, 'plain.bin'), path.join(this.#folder, 'signed.bin')];
    writeFileSync(plain, payload);
    const own = ['-k', this.#keyFile, '-v', version, '-s', String(counter)];
    const layout = ['-H', '512', '--pad-header', '--align', '8', '-S', '0x40000'];
    const { ok, error } = await this.#driver.run(['sign', ...own, ...layout, plain, signed]);
    if (!ok) throw new Error(`imgtool refused to sign: ${error}`);
    return Uint8Array.from(readFileSync(signed));
  }
}

async function liveThrough(tool: SigningTool, board: BoardName): Promise<void> {
  const payload = (seed: number) => seededRandom(seed).bytes(20_000);
  const device = new VirtualDevice({ board });
  const bootloader = await tool.sign(encodeBootProgram([tool.spki]), '1.0.0', 0);
  const firmware = await tool.sign(payload(1), '1.0.0', 1);
  device.manufacture({ bootPublicKey: tool.spki, bootloader, firmware }, systemRandom);
  expectEqual(bootedVersion(device), '1.0.0 confirmed', 'first boot');

  const newer = await tool.sign(payload(2), '1.1.0', 2);
  const altered = Uint8Array.from(newer);
  altered[1000] = (altered[1000] ?? 0) ^ 1;
  stage(device, altered);
  expectEqual(bootedVersion(device), '1.0.0 confirmed', 'after an altered image');
  stage(device, newer);
  expectEqual(bootedVersion(device), '1.1.0 test', 'after the update');
  expectEqual(bootedVersion(device), '1.0.0 confirmed', 'unconfirmed, it goes back');
  stage(device, newer);
  expectEqual(bootedVersion(device), '1.1.0 test', 'after the second update');
  device.updateSlot.confirm();
  expectEqual(bootedVersion(device), '1.1.0 confirmed', 'confirmed, it stays');
  expectEqual(device.securityCounter, 2, 'security counter');
  stage(device, firmware);
  expectEqual(bootedVersion(device), '1.1.0 confirmed', 'after an older image');
}

function stage(device: VirtualDevice, image: Uint8Array): void {
  const whole = new Uint8Array(Math.ceil(image.length / 32) * 32).fill(0xff);
  whole.set(image);
  device.updateSlot.prepare(whole.length);
  device.updateSlot.write(0, whole);
  device.updateSlot.requestTest();
}

function bootedVersion(device: VirtualDevice): string {
  const result = device.boot();
  device.markAlive();
  return result.kind === 'application'
    ? `${result.descriptor.version} ${result.descriptor.bootState}`
    : `safe mode: ${result.code}`;
}
