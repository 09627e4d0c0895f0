// What we sign and encrypt for ESP32 chips espsecure verifies and decrypts, and the reverse: randomised keys and sizes.
//
//   node scripts/launch.js interop/src/stranger/espsecure.ts [CASES]
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, encryptFlash, espPublicKey, PrivateKey, signP192 } from '@holdfast/crypto';
import { equalBytes, seededRandom } from '@holdfast/kernel';
import { finishImage, ImageVerifier, prepareImage } from '@holdfast/trust/boot';
import { type InteropReport, PythonDriver, runAlone } from './python-driver.ts';

const KEYS: readonly [string, () => KeyObject][] = [
  ['rsa-3072', () => generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey],
  ['P-192', () => generateKeyPairSync('ec', { namedCurve: 'prime192v1' }).privateKey],
  ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey],
  ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey],
];

interface Signatory {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
  readonly file: string;
}

interface Bench {
  readonly driver: PythonDriver;
  readonly folder: string;
  readonly report: InteropReport;
}

/**
 * Compares us with espsecure (PyPI esptool) in one Python process.
 *
 * @returns false when esptool is not installed; nothing was compared then.
 */
export async function runEspsecure(report: InteropReport, cases = 40): Promise<boolean> {
  const driver = new PythonDriver(['espsecure:main', 'esptool']);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-espsecure-'));
  try {
    const version = await driver.version();
    if (version === undefined) return false;
    report({ name: `espsecure ${version} (PyPI esptool)`, ok: true });
    const signers = KEYS.map(([name, generate]) => [name, writeKey(folder, `${name}.pem`, generate())] as const);
    const seconds = KEYS.map(([name, generate]) => writeKey(folder, `${name}-second.pem`, generate()));
    for (let seed = 0; seed < cases; seed++) {
      const [name, signer] = signers[seed % signers.length] ?? [];
      const second = seconds[seed % seconds.length];
      if (name === undefined || signer === undefined || second === undefined) continue;
      const payload = seededRandom(seed + 1).bytes(1 + ((seed * 7919) % 30_000));
      await compareSigning({ driver, folder, report }, `case ${seed} ${name}, ${payload.length} bytes`, {
        payload,
        signer,
        second,
      });
      await compareEncryption({ driver, folder, report }, seed);
    }
    for (const [name, signer] of signers) await compareDigest({ driver, folder, report }, name, signer);
    return true;
  } finally {
    driver.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface SigningCase {
  readonly payload: Uint8Array;
  readonly signer: Signatory;
  readonly second: Signatory;
}

async function compareSigning({ driver, folder, report }: Bench, name: string, drawn: SigningCase): Promise<void> {
  const { payload, signer, second } = drawn;
  const [plain, theirs, ours] = ['plain.bin', 'theirs.bin', 'ours.bin'].map((file) => path.join(folder, file)) as [
    string,
    string,
    string,
  ];
  writeFileSync(plain, payload);
  const judge = (bytes: Uint8Array, key: Signatory) => new ImageVerifier('esp32-v2', [key.spki]).verify(bytes);

  const made = await driver.run(['sign-data', '-v', '2', '-k', signer.file, second.file, '-o', theirs, plain]);
  for (const key of made.ok ? [signer, second] : []) {
    const verdict = judge(readFileSync(theirs), key);
    report({
      name: `we accept espsecure's two blocks: ${name}`,
      ok: verdict.kind === 'accepted',
      detail: JSON.stringify(verdict),
    });
  }
  if (!made.ok) report({ name: `espsecure signs: ${name}`, ok: false, detail: made.error ?? '' });

  const one = await signBy(signer, payload, false);
  const both = await signBy(second, one, true);
  for (const [bytes, key] of [
    [one, signer],
    [both, signer],
    [both, second],
  ] as const) {
    writeFileSync(ours, bytes);
    const answer = await driver.run(['verify-signature', '-v', '2', '-k', key.file, ours]);
    report({ name: `espsecure accepts our image: ${name}`, ok: answer.ok, detail: answer.error ?? '' });
  }
  one[one.length >> 2] = (one[one.length >> 2] ?? 0) ^ 1;
  writeFileSync(ours, one);
  const altered = await driver.run(['verify-signature', '-v', '2', '-k', signer.file, ours]);
  report({ name: `both refuse one changed bit: ${name}`, ok: !altered.ok && judge(one, signer).kind === 'refused' });
}

async function signBy({ privateKey, spki }: Signatory, image: Uint8Array, append: boolean): Promise<Uint8Array> {
  const prepared = prepareImage('esp32-v2', image, { append }, { publicKeySpki: spki });
  const { algorithm, message } = prepared.request;
  const signature =
    algorithm === 'ecdsa-p192-sha256'
      ? signP192(message, privateKey)
      : await createSigner(new PrivateKey(privateKey), algorithm).sign(message);
  return finishImage(prepared, signature).bytes;
}

async function compareEncryption({ driver, folder, report }: Bench, seed: number): Promise<void> {
  const random = seededRandom(seed * 31 + 5);
  const scheme = seed % 3 === 0 ? 'esp32' : 'xts';
  const key = random.bytes(seed % 3 === 2 ? 64 : 32);
  const address = (new DataView(random.bytes(4).buffer).getUint32(0) % 0x400000) & ~(scheme === 'esp32' ? 31 : 15);
  const cryptConfig = scheme === 'esp32' ? seed % 16 : 15;
  const plain = random.bytes(16 * (1 + (seed % 90)) * (scheme === 'esp32' ? 2 : 1));
  const [keyFile, plainFile, theirs] = ['flash.key', 'flash.bin', 'flash.enc'].map((file) =>
    path.join(folder, file),
  ) as [string, string, string];
  writeFileSync(keyFile, key, { mode: 0o600 });
  writeFileSync(plainFile, plain);
  const options = scheme === 'xts' ? ['-x'] : ['--flash-crypt-conf', String(cryptConfig)];
  const made = await driver.run([
    'encrypt-flash-data',
    '-k',
    keyFile,
    '-a',
    String(address),
    ...options,
    '-o',
    theirs,
    plainFile,
  ]);
  const same = made.ok && equalBytes(readFileSync(theirs), encryptFlash(plain, { scheme, key, address, cryptConfig }));
  const name = `${scheme} ${key.length * 8} at 0x${address.toString(16)}, ${plain.length} bytes, config ${cryptConfig}`;
  report({ name: `both encrypt to the same bytes: ${name}`, ok: same, detail: made.error ?? '' });
}

async function compareDigest(
  { driver, folder, report }: Bench,
  name: string,
  { file, spki }: Signatory,
): Promise<void> {
  const output = path.join(folder, 'digest.bin');
  const made = await driver.run(['digest-sbv2-public-key', '-k', file, '-o', output]);
  const same = made.ok && equalBytes(readFileSync(output), espPublicKey(spki).digest);
  report({ name: `both name the key by the same eFuse digest: ${name}`, ok: same, detail: made.error ?? '' });
}

function writeKey(folder: string, name: string, privateKey: KeyObject): Signatory {
  const file = path.join(folder, name);
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return { privateKey, spki: Uint8Array.from(spki), file };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('esptool', runEspsecure);
