// What a key set is exported as for ESP32 chips, espefuse burns into the eFuses of a chip it emulates.
//
//   node scripts/launch.js interop/src/stranger/espefuse.ts
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeHex } from '@holdfast/kernel';
import { exportKeySet, type PlacedKey } from '@holdfast/trust/boot';
import { type InteropReport, PythonDriver, runAlone } from './python-driver.ts';

/** Chips with three places for digests. */
const CHIPS = ['esp32s2', 'esp32s3', 'esp32c3', 'esp32c6', 'esp32h2'] as const;

/**
 * Hands our eFuse files to espefuse (PyPI esptool), which emulates a chip in a file.
 *
 * @returns false when esptool is not installed; nothing was burnt then.
 */
export async function runEspefuse(report: InteropReport): Promise<boolean> {
  const driver = new PythonDriver(['espefuse:main', 'esptool']);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-espefuse-'));
  try {
    const version = await driver.version();
    if (version === undefined) return false;
    report({ name: `espefuse ${version} (PyPI esptool)`, ok: true });
    const files = exportKeySet('esp32-efuse', keySet());
    for (const { name, bytes } of files) writeFileSync(path.join(folder, name), bytes);
    for (const chip of CHIPS) await burn(chip, { driver, folder, report });
    return true;
  } finally {
    driver.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Bench {
  readonly driver: PythonDriver;
  readonly folder: string;
  readonly report: InteropReport;
}

/** Three keys, the second of them revoked. */
function keySet(): readonly PlacedKey[] {
  return [0, 1, 2].map((slot) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
    return { slot, revoked: slot === 1, spki: Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' })) };
  });
}

async function burn(chip: string, { driver, folder, report }: Bench): Promise<void> {
  const emulated = ['--chip', chip, '--virt', '--path-efuse-file', path.join(folder, `${chip}.efuses`)];
  const lines = readFileSync(path.join(folder, 'espefuse.txt'), 'utf8').trim().split('\n');
  for (const line of lines) {
    const args = line.split(' ').map((arg) => (arg.endsWith('.bin') ? path.join(folder, arg) : arg));
    const { ok, error } = await driver.run([...emulated, '--do-not-confirm', ...args]);
    report({ name: `espefuse burns for ${chip}: ${line}`, ok, detail: error ?? '' });
  }
  const { output = '' } = await driver.run([...emulated, 'summary']);
  for (const slot of [0, 1, 2]) {
    const digest = encodeHex(new Uint8Array(readFileSync(path.join(folder, `digest${slot}.bin`))));
    const held = output.replaceAll(' ', '').toLowerCase().includes(digest);
    report({ name: `the digest is in the fuses of ${chip}: ${slot}`, ok: held, detail: digest });
  }
  const isRevoked = (slot: number): boolean => new RegExp(`SECURE_BOOT_KEY_REVOKE${slot} [^\\n]*= True`).test(output);
  report({
    name: `the second key alone is revoked on ${chip}`,
    ok: [0, 1, 2].map(isRevoked).join() === 'false,true,false',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('esptool', runEspefuse);
