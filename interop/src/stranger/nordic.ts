// What we pack and sign for nRF5 bootloaders nrfutil reads and verifies, and the reverse: randomised keys, sizes and kinds.
//
//   node scripts/launch.js interop/src/stranger/nordic.ts [CASES]
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, type Nrf5SignOptions, PrivateKey } from '@holdfast/crypto';
import { equalBytes, seededRandom } from '@holdfast/kernel';
import { ImageSigner, ImageVerifier } from '@holdfast/trust/boot';
import { type InteropReport, PythonDriver, type PythonTool, runAlone } from './python-driver.ts';

export const NRFUTIL: PythonTool = ['nrf_package:main', 'nrfutil', 'nordic'];

const KINDS = ['application', 'bootloader', 'external_application'] as const;
const VALIDATIONS = [
  ['crc', 'VALIDATE_GENERATED_CRC'],
  ['sha256', 'VALIDATE_GENERATED_SHA256'],
  ['none', 'NO_VALIDATION'],
] as const;

interface Bench {
  readonly driver: PythonDriver;
  readonly folder: string;
  readonly key: PrivateKey;
  readonly report: InteropReport;
}

/**
 * Compares us with the packaging module of nrfutil (PyPI) in one Python process.
 *
 * @returns false when nrfutil is not installed; nothing was compared then.
 */
export async function runNrfutil(report: InteropReport, cases = 40): Promise<boolean> {
  const driver = new PythonDriver(NRFUTIL);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-nrfutil-'));
  try {
    const version = await driver.version();
    if (version === undefined) return false;
    report({ name: `nrfutil ${version} (PyPI)`, ok: true });
    for (let seed = 0; seed < cases; seed++) {
      const key = new PrivateKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey);
      const sec1 = key.keyObject.export({ type: 'sec1', format: 'pem' });
      writeFileSync(path.join(folder, 'key.pem'), sec1, { mode: 0o600 });
      await compare(seed, { driver, folder, key, report });
    }
    return true;
  } finally {
    driver.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(seed: number, { driver, folder, key, report }: Bench): Promise<void> {
  const random = seededRandom(seed + 11);
  const below = (limit: number): number => new DataView(random.bytes(4).buffer).getUint32(0) % limit;
  const type = KINDS[seed % KINDS.length] ?? 'application';
  const [bootValidation, theirName] =
    (type === 'bootloader' ? VALIDATIONS[0] : VALIDATIONS[below(3)]) ?? VALIDATIONS[0];
  const options: Nrf5SignOptions = {
    type,
    bootValidation,
    firmwareVersion: below(0xffffffff),
    hardwareVersion: below(200),
    softdevices: [below(0x10000)],
  };
  // nrfutil fills a binary to whole words.
  const payload = random.bytes(4 + 4 * below(10_000));
  const [source, theirs, ours, keyFile] = ['fw.bin', 'theirs.zip', 'ours.zip', 'key.pem'].map((file) =>
    path.join(folder, file),
  ) as [string, string, string, string];
  const name = `case ${seed} ${type}, ${payload.length} bytes, ${bootValidation}`;
  writeFileSync(source, payload);

  const verifier = new ImageVerifier('nrf5-dfu', [key.publicKey.spki]);
  const numbers = [options.firmwareVersion, options.hardwareVersion, options.softdevices?.join()].map(String);
  const made = await driver.run(['sign', keyFile, theirs, source, type, ...numbers, theirName]);
  const verdict = made.ok ? verifier.verify(readFileSync(theirs)) : undefined;
  report({
    name: `we accept nrfutil's package: ${name}`,
    ok: verdict?.kind === 'accepted' && equalBytes(verdict.payload, payload),
    detail: made.error ?? (verdict?.kind === 'refused' ? verdict.code : 'another payload'),
  });

  const signer = new ImageSigner({ signer: createSigner(key) });
  const { bytes } = await signer.sign('nrf5-dfu', payload, options);
  writeFileSync(ours, bytes);
  const answer = await driver.run(['verify', keyFile, ours]);
  report({ name: `nrfutil accepts our package: ${name}`, ok: answer.ok, detail: answer.error ?? '' });
  // In the binary, which ends where the directory begins: Python's reader passes over most of the headers.
  const at = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 6, true) - 1 - below(payload.length);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(ours, bytes);
  const altered = await driver.run(['verify', keyFile, ours]);
  report({
    name: `both refuse one changed bit: ${name}`,
    ok: !altered.ok && verifier.verify(bytes).kind === 'refused',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('nrfutil', runNrfutil);
