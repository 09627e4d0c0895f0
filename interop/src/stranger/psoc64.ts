// What we sign for PSoC 64 the imgtool that cysecuretools carries verifies: randomised keys, sizes and slots.
//
//   node scripts/launch.js interop/src/stranger/psoc64.ts [CASES]
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, PrivateKey, type Psoc64SignOptions } from '@holdfast/crypto';
import { seededRandom } from '@holdfast/kernel';
import { ImageSigner, ImageVerifier } from '@holdfast/trust/boot';
import { type InteropReport, PythonDriver, type PythonTool, runAlone } from './python-driver.ts';

export const CYSECURETOOLS: PythonTool = ['cysecuretools.execute.imgtool.main:imgtool', 'cysecuretools', 'psoc64'];

/**
 * Compares us with cysecuretools (PyPI) in one Python process.
 *
 * @returns false when cysecuretools is not installed; nothing was compared then.
 */
export async function runCysecuretools(report: InteropReport, cases = 40): Promise<boolean> {
  const driver = new PythonDriver(CYSECURETOOLS);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-psoc64-'));
  try {
    const version = await driver.version();
    if (version === undefined) return false;
    report({ name: `imgtool of cysecuretools ${version} (PyPI)`, ok: true });
    const [image, keyFile] = [path.join(folder, 'image.bin'), path.join(folder, 'key.pem')];
    for (let seed = 0; seed < cases; seed++) {
      const key = new PrivateKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey);
      writeFileSync(keyFile, key.exportPem(), { mode: 0o600 });
      const { payload, options } = drawCase(seed);
      const name = `case ${seed} ${options.kind}, image ${options.imageId}, ${payload.length} bytes`;
      const { bytes } = await new ImageSigner({ signer: createSigner(key) }).sign('psoc64', payload, options);
      const theyAccept = async (): Promise<boolean> => {
        writeFileSync(image, bytes);
        return (await driver.run(['verify', '-k', keyFile, image])).ok;
      };
      report({ name: `cysecuretools accepts our image: ${name}`, ok: await theyAccept() });
      const at = 0x400 + (seed % payload.length);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      const weRefuse = new ImageVerifier('psoc64', [key.publicKey.spki]).verify(bytes).kind === 'refused';
      report({ name: `both refuse one changed bit: ${name}`, ok: weRefuse && !(await theyAccept()) });
    }
    return true;
  } finally {
    driver.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function drawCase(seed: number): { payload: Uint8Array; options: Psoc64SignOptions } {
  const random = seededRandom(seed + 23);
  const below = (limit: number): number => new DataView(random.bytes(4).buffer).getUint32(0) % limit;
  const options: Psoc64SignOptions = {
    imageId: seed % 2 === 0 ? 1 : 16,
    version: `${below(256)}.${below(256)}.${below(65_536)}`,
    rollbackCounter: below(16),
    slotSize: 0x10000,
    kind: seed % 3 === 0 ? 'upgrade' : 'boot',
    external: seed % 4 === 0,
    upgradeMode: seed % 5 === 0 ? 'swap' : 'overwrite',
  };
  return { payload: random.bytes(1 + below(30_000)), options };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('cysecuretools', runCysecuretools);
