// What we sign imgtool verifies, and what imgtool signs we verify: randomised keys, sizes and options.
//
//   node scripts/launch.js interop/src/stranger/imgtool.ts [CASES]
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, mcubootPublicKey, PrivateKey } from '@holdfast/crypto';
import { equalBytes, HoldfastError } from '@holdfast/kernel';
import { finishImage, ImageSigner, ImageVerifier, prepareImage } from '@holdfast/trust/boot';
import { formatKeyAsC, type McubootKeyKind } from '@holdfast/wire/mcuboot';
import { drawCase, type ImgtoolCase } from './imgtool-cases.ts';
import { PythonDriver } from './python-driver.ts';

/** Receives one line for everything that was compared. */
export type InteropReport = (line: { readonly name: string; readonly ok: boolean; readonly detail?: string }) => void;

const DRIVER = fileURLToPath(new URL('../../python/imgtool_driver.py', import.meta.url));

const GENERATE: Readonly<Record<McubootKeyKind, () => PrivateKey>> = {
  'ecdsa-p256': () => new PrivateKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey),
  'ecdsa-p384': () => new PrivateKey(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey),
  ed25519: () => new PrivateKey(generateKeyPairSync('ed25519').privateKey),
  'rsa-2048': () => new PrivateKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
  'rsa-3072': () => new PrivateKey(generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey),
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
  const driver = new PythonDriver(DRIVER);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-imgtool-'));
  try {
    const version = (await driver.ask({ op: 'version' }))?.version;
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
  const made = await bench.driver.ask({
    op: 'run',
    args: ['sign', '-k', bench.keyFile, ...drawn.imgtoolArgs, payloadFile, theirFile],
  });
  if (made?.ok !== true) {
    const refused = await refusal(drawn, bench.key);
    bench.report({
      name: `both refuse to sign: ${drawn.name}`,
      ok: refused !== undefined,
      detail: `imgtool: ${made?.error ?? 'gone'}; we: ${refused}`,
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
  const prepared = prepareImage('mcuboot', drawn.payload, drawn.options, { publicKeySpki: bench.key.publicKey.spki });
  const signature = await createSigner(bench.key, prepared.request.algorithm).sign(prepared.request.message);
  const { bytes } = finishImage(prepared, signature);
  const ourFile = path.join(bench.folder, 'ours.bin');
  writeFileSync(ourFile, bytes);
  const answer = await bench.driver.ask({ op: 'verify', key: bench.keyFile, file: ourFile });
  bench.report({
    name: `imgtool accepts our image: ${drawn.name}`,
    ok: answer?.ok === true,
    detail: answer?.error ?? '',
  });
  if (drawn.kind === 'ed25519') {
    bench.report({ name: `both images are the same bytes: ${drawn.name}`, ok: equalBytes(bytes, theirs) });
  }
  bytes[bytes.length >> 3] = (bytes[bytes.length >> 3] ?? 0) ^ 1;
  writeFileSync(ourFile, bytes);
  const altered = await bench.driver.ask({ op: 'verify', key: bench.keyFile, file: ourFile });
  const verdict = new ImageVerifier('mcuboot', [bench.key.publicKey.spki]).verify(bytes);
  const bothRefuse = verdict.kind === 'refused' && (altered?.ok === false || bytes.length === 0x20000);
  bench.report({ name: `both refuse it with one bit changed: ${drawn.name}`, ok: bothRefuse });
}

/** The C array that a build compiles in, but for the comment that names the tool. */
async function compareKeyExport(kind: McubootKeyKind, { driver, key, keyFile, report }: Bench): Promise<void> {
  const theirs = await driver.ask({ op: 'run', args: ['getpub', '-k', keyFile] });
  const { rule, bytes } = mcubootPublicKey(key.publicKey.spki);
  const ours = formatKeyAsC({ name: `${rule.exportName}_pub_key`, bytes });
  const withoutComment = (text: string): string => text.slice(text.indexOf('\n'));
  report({
    name: `both export the same array: ${kind}`,
    ok: withoutComment(theirs?.output ?? '') === withoutComment(ours),
  });
}

async function refusal(drawn: ImgtoolCase, key: PrivateKey): Promise<string | undefined> {
  try {
    await new ImageSigner({ signer: createSigner(key) }).sign('mcuboot', drawn.payload, drawn.options);
    return undefined;
  } catch (error) {
    return HoldfastError.is(error) ? error.code : String(error);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const counts = { ok: 0, failed: 0 };
  const ran = await runImgtool(
    (line) => {
      counts[line.ok ? 'ok' : 'failed'] += 1;
      if (!line.ok) console.error(`not ok: ${line.name}: ${line.detail ?? ''}`);
    },
    Number(process.argv[2] ?? 40),
  );
  console.log(
    ran ? `imgtool: ${counts.ok} agree, ${counts.failed} do not` : 'imgtool is not installed: pip install imgtool',
  );
  process.exitCode = counts.failed === 0 ? 0 : 1;
}
