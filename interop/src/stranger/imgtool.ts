// What we sign imgtool verifies, and what imgtool signs we verify: randomised keys, sizes and options.
//
//   node scripts/launch.js interop/src/stranger/imgtool.ts [CASES]
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, mcubootPublicKey, PrivateKey, type SignatureAlgorithm } from '@holdfast/crypto';
import { equalBytes, HoldfastError } from '@holdfast/kernel';
import { ImageSigner, ImageVerifier } from '@holdfast/trust/boot';
import { formatKeyAsC, type McubootKeyKind } from '@holdfast/wire/mcuboot';
import { drawCase, type ImgtoolCase } from './imgtool-cases.ts';
import { type InteropReport, PythonDriver, runAlone } from './python-driver.ts';

const GENERATE: Readonly<Record<McubootKeyKind, () => PrivateKey>> = {
  'ecdsa-p256': () => new PrivateKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey),
  'ecdsa-p384': () => new PrivateKey(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey),
  ed25519: () => new PrivateKey(generateKeyPairSync('ed25519').privateKey),
  'rsa-2048': () => new PrivateKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
  'rsa-3072': () => new PrivateKey(generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey),
};

const ALGORITHMS: Readonly<Record<McubootKeyKind, SignatureAlgorithm>> = {
  'ecdsa-p256': 'ecdsa-p256-sha256',
  'ecdsa-p384': 'ecdsa-p384-sha384',
  ed25519: 'ed25519',
  'rsa-2048': 'rsa-pss-sha256',
  'rsa-3072': 'rsa-pss-sha256',
};

interface Bench {
  readonly driver: PythonDriver;
  readonly folder: string;
  readonly key: PrivateKey;
  readonly keyFile: string;
  readonly report: InteropReport;
}

/**
 * Compares us with imgtool (PyPI) in one Python process.
 *
 * @returns false when imgtool is not installed; nothing was compared then.
 */
export async function runImgtool(report: InteropReport, cases = 40): Promise<boolean> {
  const driver = new PythonDriver(['imgtool.main:imgtool', 'imgtool']);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-imgtool-'));
  try {
    const version = await driver.version();
    if (version === undefined) return false;
    report({ name: `imgtool ${version} (PyPI)`, ok: true });
    const keys = new Map<McubootKeyKind, PrivateKey>();
    for (let seed = 0; seed < cases; seed++) {
      const drawn = drawCase(seed);
      const key = keys.get(drawn.kind) ?? GENERATE[drawn.kind]();
      keys.set(drawn.kind, key);
      const keyFile = path.join(folder, `${drawn.kind}.pem`);
      writeFileSync(keyFile, key.exportPem(), { mode: 0o600 });
      await compare(drawn, { driver, folder, key, keyFile, report });
    }
    for (const [kind, key] of keys)
      await compareKeyExport(kind, { driver, folder, key, keyFile: path.join(folder, `${kind}.pem`), report });
    return true;
  } finally {
    driver.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(drawn: ImgtoolCase, bench: Bench): Promise<void> {
  const payloadFile = path.join(bench.folder, 'payload.bin');
  writeFileSync(payloadFile, drawn.payload);
  const theirFile = path.join(bench.folder, 'theirs.bin');
  const made = await bench.driver.run(['sign', '-k', bench.keyFile, ...drawn.imgtoolArgs, payloadFile, theirFile]);
  if (!made.ok) {
    const refused = await refusal(drawn, bench.key);
    bench.report({
      name: `both refuse to sign: ${drawn.name}`,
      ok: refused !== undefined,
      detail: `imgtool: ${made.error}; we: ${refused}`,
    });
    return;
  }
  const theirs = Uint8Array.from(readFileSync(theirFile));
  const verifier = new ImageVerifier('mcuboot', [bench.key.publicKey.spki]);
  const verdict = verifier.verify(theirs);
  bench.report({
    name: `we accept imgtool's image: ${drawn.name}`,
    ok: verdict.kind === 'accepted' && equalBytes(verdict.payload, drawn.payload),
    ...(verdict.kind === 'refused' ? { detail: `${verdict.code} ${JSON.stringify(verdict.details)}` } : {}),
  });
  await checkOurs(drawn, bench, theirs);
}

async function checkOurs(drawn: ImgtoolCase, bench: Bench, theirs: Uint8Array): Promise<void> {
  const signer = new ImageSigner({ signer: createSigner(bench.key, ALGORITHMS[drawn.kind]) });
  const { bytes } = await signer.sign('mcuboot', drawn.payload, drawn.options);
  const ourFile = path.join(bench.folder, 'ours.bin');
  writeFileSync(ourFile, bytes);
  const answer = await bench.driver.run(['verify', '-k', bench.keyFile, ourFile]);
  bench.report({
    name: `imgtool accepts our image: ${drawn.name}`,
    ok: answer.ok,
    detail: answer.error ?? '',
  });
  if (drawn.kind === 'ed25519') {
    bench.report({ name: `both images are the same bytes: ${drawn.name}`, ok: equalBytes(bytes, theirs) });
  }
  bytes[bytes.length >> 3] = (bytes[bytes.length >> 3] ?? 0) ^ 1;
  writeFileSync(ourFile, bytes);
  const altered = await bench.driver.run(['verify', '-k', bench.keyFile, ourFile]);
  const verdict = new ImageVerifier('mcuboot', [bench.key.publicKey.spki]).verify(bytes);
  const bothRefuse = verdict.kind === 'refused' && (!altered.ok || bytes.length === 0x20000);
  bench.report({ name: `both refuse it with one bit changed: ${drawn.name}`, ok: bothRefuse });
}

/** The C array that a build compiles in, but for the comment that names the tool. */
async function compareKeyExport(kind: McubootKeyKind, { driver, key, keyFile, report }: Bench): Promise<void> {
  const theirs = await driver.run(['getpub', '-k', keyFile]);
  const { rule, bytes } = mcubootPublicKey(key.publicKey.spki);
  const ours = formatKeyAsC({ name: `${rule.exportName}_pub_key`, bytes });
  const withoutComment = (text: string): string => text.slice(text.indexOf('\n'));
  report({
    name: `both export the same array: ${kind}`,
    ok: withoutComment(theirs.output ?? '') === withoutComment(ours),
  });
}

async function refusal(drawn: ImgtoolCase, key: PrivateKey): Promise<string | undefined> {
  try {
    await new ImageSigner({ signer: createSigner(key, ALGORITHMS[drawn.kind]) }).sign(
      'mcuboot',
      drawn.payload,
      drawn.options,
    );
    return undefined;
  } catch (error) {
    return HoldfastError.is(error) ? error.code : String(error);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('imgtool', runImgtool);
