// What a key set is exported as for the LPC55S69, spsdk reads: pfr the page, nxpcrypto the hash of the root keys.
//
//   node scripts/launch.js interop/src/stranger/nxp-key-set.ts
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeHex } from '@holdfast/kernel';
import { exportKeySet } from '@holdfast/trust/boot';
import { type InteropReport, PythonDriver, type PythonTool, runAlone } from './python-driver.ts';

export const PFR: PythonTool = ['spsdk.apps.pfr:main', 'spsdk', 'nxp'];
const NXPCRYPTO: PythonTool = ['spsdk.apps.nxpcrypto:main', 'spsdk', 'nxp'];
const FAMILY = ['-f', 'lpc55s69'] as const;

/**
 * Hands our page and our root keys to pfr and nxpcrypto (PyPI spsdk).
 *
 * @returns false when spsdk is not installed; nothing was compared then.
 */
export async function runPfr(report: InteropReport): Promise<boolean> {
  const [pfr, nxpcrypto] = [new PythonDriver(PFR), new PythonDriver(NXPCRYPTO)];
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-pfr-'));
  try {
    const version = await pfr.version();
    if (version === undefined) return false;
    report({ name: `pfr and nxpcrypto ${version} (PyPI spsdk)`, ok: true });
    for (const keys of [1, 2, 3, 4]) {
      const hash = exportTo(folder, keys);
      const name = `${keys} root keys`;
      const page = path.join(folder, `page${keys}.yaml`);
      const read = await pfr.run(['parse', ...FAMILY, '-t', 'cmpa', '-b', path.join(folder, 'cmpa.bin'), '-o', page]);
      const words = read.ok ? readFileSync(page, 'utf8') : '';
      const same = words.toLowerCase().includes(`rotkh: ${hash}`) && /SEC_BOOT_EN: ENABLE/.test(words);
      report({ name: `pfr reads our page: ${name}`, ok: same, detail: read.error ?? '' });
      const files = Array.from({ length: keys }, (_, slot) => ['-k', path.join(folder, `${slot}.pem`)]).flat();
      const made = path.join(folder, `hash${keys}.bin`);
      const asked = await nxpcrypto.run(['rot', 'calculate-hash', ...FAMILY, ...files, '-o', made]);
      const agreed = asked.ok && encodeHex(new Uint8Array(readFileSync(made))) === hash;
      report({ name: `nxpcrypto makes the same hash: ${name}`, ok: agreed, detail: asked.error ?? '' });
    }
    return true;
  } finally {
    pfr.close();
    nxpcrypto.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns the hash our export states, hex */
function exportTo(folder: string, count: number): string {
  const keys = Array.from({ length: count }, (_, slot) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(path.join(folder, `${slot}.pem`), publicKey.export({ type: 'spki', format: 'pem' }));
    // What is revoked stays in the table.
    const revoked = slot === 1;
    return { slot, revoked, spki: Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' })) };
  });
  const files = exportKeySet('nxp-cmpa', keys);
  for (const { name, bytes } of files) writeFileSync(path.join(folder, name), bytes);
  return encodeHex(files.find(({ name }) => name === 'rotkh.bin')?.bytes ?? new Uint8Array(0));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('spsdk', runPfr);
