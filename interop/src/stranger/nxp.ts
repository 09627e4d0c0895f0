// What nxpimage signs for the LPC55S69 we verify, and what we sign is the same bytes: randomised keys, chains and sizes.
//
//   node scripts/launch.js interop/src/stranger/nxp.ts [CASES]
import { execFileSync } from 'node:child_process';
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, type NxpSignOptions, PrivateKey } from '@holdfast/crypto';
import { equalBytes, seededRandom } from '@holdfast/kernel';
import { ImageSigner, ImageVerifier } from '@holdfast/trust/boot';
import { decodeCertificate } from '@holdfast/wire/x509';
import { type InteropReport, PythonDriver, type PythonTool, runAlone } from './python-driver.ts';

export const NXPIMAGE: PythonTool = ['spsdk.apps.nxpimage:main', 'spsdk', 'nxp'];

const ROOT_BITS = [2048, 2048, 4096, 2048] as const;
const LEAF_BITS = [2048, 4096] as const;

interface Bench {
  readonly driver: PythonDriver;
  readonly folder: string;
  readonly report: InteropReport;
}

/**
 * Compares us with nxpimage (PyPI spsdk) in one Python process.
 *
 * @returns false when spsdk is not installed; nothing was compared then.
 */
export async function runNxpimage(report: InteropReport, cases = 40): Promise<boolean> {
  const driver = new PythonDriver(NXPIMAGE);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-nxpimage-'));
  try {
    const version = await driver.version();
    if (version === undefined) return false;
    report({ name: `nxpimage ${version} (PyPI spsdk)`, ok: true });
    makeCertificates(folder);
    for (let seed = 0; seed < cases; seed++) await compare(seed, { driver, folder, report });
    return true;
  } finally {
    driver.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Four roots, each as a signer and as an authority, and two leaves under each. */
function makeCertificates(folder: string): void {
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  for (const [index, bits] of ROOT_BITS.entries()) {
    openssl('genrsa', '-out', `root${index}.pem`, String(bits));
    for (const [name, authority, serial] of [
      [`root${index}`, 'FALSE', `0x3cc300000000000${index + 1}`],
      [`ca${index}`, 'TRUE', String(index + 1)],
    ] as const) {
      const subject = ['-subj', `/CN=${name}`, '-set_serial', serial, '-days', '3650', '-sha256'];
      const constraints = ['-addext', `basicConstraints=critical,CA:${authority}`];
      openssl(
        'req',
        '-x509',
        '-new',
        '-key',
        `root${index}.pem`,
        ...subject,
        ...constraints,
        '-outform',
        'DER',
        '-out',
        `${name}.der`,
      );
    }
  }
  writeFileSync(path.join(folder, 'leaf.ext'), 'basicConstraints=critical,CA:FALSE\n');
  for (const [index, bits] of LEAF_BITS.entries()) {
    openssl('genrsa', '-out', `leaf${index}.pem`, String(bits));
    openssl('req', '-new', '-key', `leaf${index}.pem`, '-subj', `/CN=leaf${index}`, '-out', 'leaf.csr');
    for (const root of ROOT_BITS.keys()) {
      const issuer = ['-CA', `ca${root}.der`, '-CAform', 'DER', '-CAkey', `root${root}.pem`];
      const rest = ['-set_serial', '0x3cc3000000000099', '-days', '3650', '-sha256', '-extfile', 'leaf.ext'];
      openssl(
        'x509',
        '-req',
        '-in',
        'leaf.csr',
        ...issuer,
        ...rest,
        '-outform',
        'DER',
        '-out',
        `leaf${index}-${root}.der`,
      );
    }
  }
}

async function compare(seed: number, { driver, folder, report }: Bench): Promise<void> {
  const random = seededRandom(seed + 5);
  const below = (limit: number): number => new DataView(random.bytes(4).buffer).getUint32(0) % limit;
  const file = (name: string): string => path.join(folder, name);
  const bytesOf = (name: string): Uint8Array => Uint8Array.from(readFileSync(file(name)));
  const [slots, chained] = [1 + below(4), below(2) === 0];
  const main = below(slots);
  const leaf = LEAF_BITS.findIndex((bits) => bits === ROOT_BITS[main]);
  const [buildNumber, trustZone] = [below(1000), below(2) === 0];
  const rootNames = Array.from({ length: slots }, (_, index) => `${chained ? 'ca' : 'root'}${index}.der`);
  const signerFile = chained ? `leaf${leaf}.pem` : `root${main}.pem`;
  const payload = random.bytes(0x40 + 4 * below(4000));
  payload.fill(0, 0x20, 0x38);
  writeFileSync(file('app.bin'), payload);
  writeFileSync(
    file('block.yaml'),
    [
      'family: lpc55s69\nrevision: latest',
      `imageBuildNumber: ${buildNumber}\nmainRootCertId: ${main}`,
      ...rootNames.map((name, index) => `rootCertificate${index}File: ${name}`),
      ...(chained ? [`chainCertificate${main}File0: leaf${leaf}-${main}.der`] : []),
    ].join('\n'),
  );
  writeFileSync(
    file('image.yaml'),
    [
      'family: lpc55s69\nrevision: latest\noutputImageExecutionTarget: xip\noutputImageAuthenticationType: signed',
      'masterBootOutputFile: theirs.bin\ninputImageFile: app.bin\noutputImageExecutionAddress: 0\ncertBlock: block.yaml',
      `enableTrustZone: ${trustZone}\nsigner: type=file;file_path=${signerFile}`,
    ].join('\n'),
  );
  const name = `case ${seed}, ${payload.length} bytes, ${slots} roots, signed by ${signerFile}`;
  const made = await driver.run(['mbi', 'export', '-c', file('image.yaml')]);
  if (!made.ok) return report({ name: `nxpimage signs: ${name}`, ok: false, detail: made.error ?? '' });
  const theirs = bytesOf('theirs.bin');
  const rootKeys = rootNames.map((root) => decodeCertificate(bytesOf(root)).spki.raw);
  const verifier = new ImageVerifier('nxp-lpc55', rootKeys);
  const verdict = verifier.verify(theirs);
  report({
    name: `we accept nxpimage's image: ${name}`,
    ok: verdict.kind === 'accepted',
    detail: verdict.kind === 'refused' ? verdict.code : '',
  });
  const ours = await signOurs(createPrivateKey(readFileSync(file(signerFile))), payload, {
    certificates: (chained ? [`ca${main}.der`, `leaf${leaf}-${main}.der`] : [`root${main}.der`]).map(bytesOf),
    rootKeys,
    buildNumber,
    trustZone: trustZone ? 'enabled' : 'disabled',
  });
  report({ name: `both sign to the same bytes: ${name}`, ok: equalBytes(ours, theirs) });
  const at = below(ours.length);
  ours[at] = (ours[at] ?? 0) ^ 1;
  report({ name: `we refuse one changed bit: ${name}`, ok: verifier.verify(ours).kind === 'refused' });
}

async function signOurs(key: KeyObject, payload: Uint8Array, options: NxpSignOptions): Promise<Uint8Array> {
  const signer = new ImageSigner({ signer: createSigner(new PrivateKey(key), 'rsa-pkcs1-sha256') });
  return (await signer.sign('nxp-lpc55', payload, options)).bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('spsdk', runNxpimage);
