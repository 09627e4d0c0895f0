// What we sign SWUpdate checks and accepts, and what OpenSSL signs for it we verify: randomised contents and signers.
//
//   node scripts/launch.js interop/src/stranger/swupdate.ts [CASES]
import { createHash, createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, PrivateKey } from '@holdfast/crypto';
import { concatBytes, seededRandom } from '@holdfast/kernel';
import { ImageSigner, ImageVerifier } from '@holdfast/trust/boot';
import { decodePem } from '@holdfast/wire/pem';
import { encodeCpioEntry } from '@holdfast/wire/swupdate';
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
 * Compares us with SWUpdate (Debian, CMS build) and `openssl cms`.
 *
 * @returns false when swupdate is not installed; nothing was compared then.
 */
export async function runSwupdate(report: InteropReport, cases = 40): Promise<boolean> {
  const version = versionOf('swupdate', ['--version']);
  if (version === undefined) return false;
  report({ name: `${version} (Debian)`, ok: true });
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-swupdate-'));
  try {
    makeReleaseAuthority(folder);
    const anchor = decodeCertificate(decodePem(readFileSync(path.join(folder, 'ca.pem')), 'CERTIFICATE'));
    for (let seed = 0; seed < cases; seed++) await compare(seed, { folder, report, anchor });
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Files = readonly (readonly [string, Uint8Array])[];

async function compare(seed: number, { folder, report, anchor }: Bench): Promise<void> {
  const random = seededRandom(seed + 17);
  const below = (limit: number): number => new DataView(random.bytes(4).buffer).getUint32(0) % limit;
  const signer = ['ec', 'rsa', 'code'][seed % 8 === 7 ? 2 : seed % 2] ?? 'ec';
  const kind = below(2) === 0 ? 'crc' : 'newc';
  const images = Array.from(
    { length: 1 + below(3) },
    (_, index) => [`image-${index}.bin`, random.bytes(1 + below(90_000))] as const,
  );
  const name = `case ${seed} ${signer}, ${kind}, ${images.length} files`;
  const description = describe(images, below(1000));
  const unsigned: Files = [['sw-description', description], ...images];

  const theirs = archive(kind, [
    unsigned[0] ?? ['', description],
    ['sw-description.sig', signBy(folder, signer, description)],
    ...images,
  ]);
  const isGood = signer !== 'code';
  const verifier = new ImageVerifier('swupdate', []);
  const policy = { anchors: [anchor], hardware: '1.0' };
  const weAccept = (bytes: Uint8Array): boolean => verifier.verify(bytes, policy).kind === 'accepted';
  const theyAccept = (bytes: Uint8Array): boolean => {
    const file = path.join(folder, 'package.swu');
    writeFileSync(file, bytes);
    const { output } = runCommand('swupdate', ['-c', '-i', file, '-k', 'ca.pem', '-H', 'board:1.0'], folder);
    // Its exit status is at times 1 for a package that it has just called good.
    return output.includes('SWUPDATE successful') && !output.includes('FAILURE') && !output.includes('[ERROR]');
  };
  report({
    name: `both judge OpenSSL's signature alike: ${name}`,
    ok: weAccept(theirs) === isGood && theyAccept(theirs) === isGood,
  });
  if (!isGood) return;

  const ours = await signOurs(folder, signer, archive(kind, unsigned));
  report({ name: `SWUpdate accepts our package: ${name}`, ok: weAccept(ours) && theyAccept(ours) });
  const at = ours.length - 700 - below(Math.min(images.at(-1)?.[1].length ?? 1, 80_000));
  const place = Math.max(at, 120);
  ours[place] = (ours[place] ?? 0) ^ 1;
  const weRefuse = !weAccept(ours);
  report({ name: `we refuse one changed bit: ${name}`, ok: weRefuse });
}

function describe(images: Files, version: number): Uint8Array {
  const entries = images.map(
    ([name, data]) =>
      `{ filename = "${name}"; device = "/dev/null"; type = "raw"; sha256 = "${createHash('sha256').update(data).digest('hex')}"; }`,
  );
  return new TextEncoder().encode(
    `software = {\n  version = "${version}.0.0";\n  hardware-compatibility: [ "1.0" ];\n  images: ( ${entries.join(', ')} );\n}\n`,
  );
}

function archive(kind: 'crc' | 'newc', files: Files): Uint8Array {
  const whole = concatBytes(
    ...[...files, ['TRAILER!!!', new Uint8Array(0)] as const].map(([name, data]) => encodeCpioEntry(kind, name, data)),
  );
  return concatBytes(whole, new Uint8Array(-whole.length & 511));
}

function signBy(folder: string, signer: string, description: Uint8Array): Uint8Array {
  writeFileSync(path.join(folder, 'sw-description'), description);
  const form = ['-outform', 'DER', '-nosmimecap', '-binary'];
  runCommand(
    'openssl',
    [
      'cms',
      '-sign',
      '-in',
      'sw-description',
      '-out',
      'sig',
      '-signer',
      `${signer}.pem`,
      '-inkey',
      `${signer}.key`,
      ...form,
    ],
    folder,
  );
  return Uint8Array.from(readFileSync(path.join(folder, 'sig')));
}

async function signOurs(folder: string, name: string, unsigned: Uint8Array): Promise<Uint8Array> {
  const key = new PrivateKey(createPrivateKey(readFileSync(path.join(folder, `${name}.key`))));
  const certificate = decodePem(readFileSync(path.join(folder, `${name}.pem`)), 'CERTIFICATE');
  const signingTime = decodeCertificate(certificate).validity.notBefore;
  const signer = new ImageSigner({ signer: createSigner(key) });
  return (await signer.sign('swupdate', unsigned, { form: 'cms', certificates: [certificate], signingTime })).bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('swupdate', runSwupdate);
