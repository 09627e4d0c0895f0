// What we sign RAUC verifies block by block, and what RAUC signs we verify: randomised contents and signers.
//
//   node scripts/launch.js interop/src/stranger/rauc.ts [CASES]
import { createPrivateKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, PrivateKey } from '@holdfast/crypto';
import { seededRandom } from '@holdfast/kernel';
import { ImageSigner, ImageVerifier } from '@holdfast/trust/boot';
import { decodePem } from '@holdfast/wire/pem';
import { type Certificate, decodeCertificate } from '@holdfast/wire/x509';
import { runCommand, versionOf } from './command.ts';
import { type InteropReport, runAlone } from './python-driver.ts';
import { makeReleaseAuthority } from './release-authority.ts';

interface Bench {
  readonly folder: string;
  readonly report: InteropReport;
  readonly anchor: Certificate;
}

/**
 * Compares us with RAUC (Debian).
 *
 * @returns false when rauc or mksquashfs is not installed; nothing was compared then.
 */
export async function runRauc(report: InteropReport, cases = 40): Promise<boolean> {
  const version = versionOf('rauc', ['--version']);
  if (version === undefined || versionOf('mksquashfs', ['-version']) === undefined) return false;
  report({ name: `${version} (Debian)`, ok: true });
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-rauc-'));
  try {
    makeReleaseAuthority(folder);
    const anchor = decodeCertificate(decodePem(readFileSync(path.join(folder, 'ca.pem')), 'CERTIFICATE'));
    for (let seed = 0; seed < cases; seed++) await compare(seed, { folder, report, anchor });
    refuseCodeSigner({ folder, report, anchor });
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(seed: number, { folder, report, anchor }: Bench): Promise<void> {
  const random = seededRandom(seed + 3);
  const below = (limit: number): number => new DataView(random.bytes(4).buffer).getUint32(0) % limit;
  const signer = seed % 2 === 0 ? 'ec' : 'rsa';
  // RAUC makes no bundle of a file system that fits one block.
  const size = 8192 + below(seed % 8 === 0 ? 3_000_000 : 60_000);
  const name = `case ${seed} ${signer}, ${size} bytes`;
  writeContent(folder, random.bytes(size), seed);
  const theirFile = bundleBy(folder, signer);
  const verifier = new ImageVerifier('rauc', []);
  const policy = { anchors: [anchor] };
  const theirs = theirFile === undefined ? undefined : Uint8Array.from(readFileSync(theirFile));
  const verdict = theirs === undefined ? undefined : verifier.verify(theirs, policy);
  report({
    name: `we accept RAUC's bundle: ${name}`,
    ok: verdict?.kind === 'accepted',
    detail: verdict?.kind === 'refused' ? verdict.code : 'rauc failed',
  });
  if (theirs === undefined) return;

  const bytes = await signAnew(folder, signer, theirs);
  const ourFile = path.join(folder, 'ours.raucb');
  const extract = (): boolean => {
    writeFileSync(ourFile, bytes);
    rmSync(path.join(folder, 'out'), { recursive: true, force: true });
    return runCommand('rauc', ['extract', '--keyring', 'ca.pem', ourFile, 'out'], folder).ok;
  };
  report({ name: `RAUC extracts our bundle: ${name}`, ok: extract() });
  const at = below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const weRefuse = verifier.verify(bytes, policy).kind === 'refused';
  report({
    name: `we refuse one changed bit, as RAUC does in data: ${name}`,
    ok: weRefuse && (at >= size || !extract()),
  });
}

function writeContent(folder: string, image: Uint8Array, seed: number): void {
  const content = path.join(folder, 'in');
  rmSync(content, { recursive: true, force: true });
  mkdirSync(content);
  writeFileSync(path.join(content, 'rootfs.img'), image);
  const manifest = `[update]\ncompatible=holdfast-${seed}\nversion=1.${seed}\n\n[bundle]\nformat=verity\n\n[image.rootfs]\nfilename=rootfs.img\n`;
  writeFileSync(path.join(content, 'manifest.raucm'), manifest);
}

function bundleBy(folder: string, signer: string): string | undefined {
  const file = path.join(folder, 'theirs.raucb');
  rmSync(file, { force: true });
  const key = ['--cert', `${signer}.pem`, '--key', `${signer}.key`];
  return runCommand('rauc', ['bundle', ...key, '--keyring', 'ca.pem', 'in', file], folder).ok ? file : undefined;
}

async function signAnew(folder: string, name: string, bundle: Uint8Array): Promise<Uint8Array> {
  const key = new PrivateKey(createPrivateKey(readFileSync(path.join(folder, `${name}.key`))));
  const certificates = [decodePem(readFileSync(path.join(folder, `${name}.pem`)), 'CERTIFICATE')];
  const signer = new ImageSigner({ signer: createSigner(key) });
  const signingTime = decodeCertificate(certificates[0] ?? new Uint8Array(0)).validity.notBefore;
  return (await signer.sign('rauc', bundle, { certificates, signingTime })).bytes;
}

/** RAUC refuses to bundle by a certificate for code, and so do we to accept what it would have made. */
function refuseCodeSigner({ folder, report }: Bench): void {
  report({ name: 'RAUC refuses a signer for code alone', ok: bundleBy(folder, 'code') === undefined });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('rauc', runRauc);
