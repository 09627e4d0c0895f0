import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { check, expectEqual, expectThat, type Stranger } from '../stranger.ts';
import { type Credential, HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { debianVersion, runTool, succeed } from '../world/run-tool.ts';
import { approve, labelFor, makeEstProducts, WAITING_PRODUCT } from './est-passwords.ts';

const ATTEMPTS = 100;
const PAUSE_MS = 100;

/** The tool itself, what fetches URLs, and what does elliptic curves. */
const PACKAGES = ['strongswan-pki', 'libstrongswan-extra-plugins', 'libstrongswan-standard-plugins'];

export const strongswan: Stranger = {
  name: 'strongswan-pki',
  source: 'Debian',
  deed: 'pki --estca, pki --est enrolls with a claim or a password, waits and renews, --print, --verify --online before and after a revocation',
  install: `apt-get install ${PACKAGES.join(' ')}`,
  version: async () => {
    const versions = await Promise.all(PACKAGES.map(debianVersion));
    return versions.includes(undefined) ? undefined : versions[0];
  },
  meet: async (world, report) => {
    const folder = world.scratch('strongswan');
    await check(report, '--estca fetches and trusts the root and the issuing authority', async () => {
      const files = ['--cacert', world.rootFile, '--caout', path.join(folder, 'ca.pem'), '--outform', 'pem'];
      await succeed('pki', ['--estca', '--url', `https://${HOST}:${world.ports.enroll}`, ...files]);
      expectEqual(readdirSync(folder).sort(), ['ca-1.pem', 'ca.pem'], 'files');
    });
    const serial = world.newSerial('swan');
    let device: Credential | undefined;
    await check(report, '--est enrolls with a claim', async () => {
      device = await enroll(world, serial, await world.claimFor(serial));
    });
    await check(report, '--est renews with the certificate it got', async () => {
      if (device === undefined) throw new Error('there is none');
      device = await enroll(world, serial, device);
    });
    await check(report, '--est enrolls with a one-time password, and waits for approval by polling', async () => {
      await makeEstProducts(world);
      const label = await labelFor(world, 'swan-pw', WAITING_PRODUCT);
      const request = await requestFor(world, label.serial);
      const url = ['--url', `https://${HOST}:${world.ports.enroll}`];
      const options = ['--userpass', label.userpass, '--interval', '1', '--maxpolltime', '50', '--outform', 'pem'];
      const asking = succeed('pki', ['--est', ...url, '--in', request.csrFile, ...trusted(world), ...options]);
      const approving = untilWaiting(world, label.serial).then(() => approve(world, label.serial));
      const [pem] = await Promise.all([asking, approving]);
      const text = await succeed('openssl', ['x509', '-noout', '-subject'], { input: pem });
      expectThat(text.includes(label.serial), `it got ${text.toString()}`);
    });
    await check(report, '--print finds the names and the purpose', async () => {
      const text = (await succeed('pki', ['--print', '--in', device?.certificateFile ?? ''])).toString();
      const wanted = [`"CN=${serial}"`, `urn:holdfast:default:device:${serial}`, 'clientAuth', 'ECDSA 256 bits'];
      for (const words of wanted) expectThat(text.includes(words), `no ${words} in ${text}`);
    });
    await check(report, '--verify follows the chain and asks our revocation list', async () => {
      const chain = ['ca.pem', 'ca-1.pem'].flatMap((name) => ['--cacert', path.join(folder, name)]);
      const online = ['--verify', '--online', '--in', device?.certificateFile ?? '', ...chain];
      const text = (await succeed('pki', online)).toString();
      expectThat(text.includes('certificate trusted'), `it said ${text}`);
      await world.api.call('devices.revoke', { device: serial, body: { reason: 'keyCompromise' } });
      await world.untilRevoked(device?.certificateFile ?? '');
      const after = await runTool('pki', online);
      expectThat(after.code !== 0, 'it still trusts a revoked certificate');
    });
  },
};

/** A new key and its certificate; strongSwan asks for renewal whenever it shows a certificate. */
async function enroll(world: HoldfastWorld, serial: string, credential: Credential): Promise<Credential> {
  const { name, keyFile, csrFile } = await requestFor(world, serial);
  const shown = ['--cert', credential.certificateFile, '--key', credential.keyFile];
  const url = ['--url', `https://${HOST}:${world.ports.https}`];
  const pem = await succeed('pki', ['--est', ...url, '--in', csrFile, ...shown, ...trusted(world), '--outform', 'pem']);
  const key = await succeed('openssl', ['pkey', '-in', keyFile]);
  return world.keep(`${serial}-${name}`, pem.toString(), key.toString());
}

async function requestFor(world: HoldfastWorld, serial: string) {
  const folder = world.scratch('strongswan-keys');
  const name = world.newSerial('key');
  const [keyFile, csrFile] = [path.join(folder, `${name}.key`), path.join(folder, `${name}.csr`)];
  writeFileSync(keyFile, await succeed('pki', ['--gen', '--type', 'ecdsa', '--size', '256', '--outform', 'pem']));
  const asked = ['--in', keyFile, '--type', 'ecdsa', '--dn', `CN=${serial}`, '--outform', 'pem'];
  writeFileSync(csrFile, await succeed('pki', ['--req', ...asked]));
  return { name, keyFile, csrFile };
}

function trusted(world: HoldfastWorld): readonly string[] {
  return ['ca.pem', 'ca-1.pem'].flatMap((file) => ['--cacert', path.join(world.scratch('strongswan'), file)]);
}

async function untilWaiting(world: HoldfastWorld, serial: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { rows } = await world.api.call('enrollment-requests.list', { query: {} });
    if (rows.some((row) => row.serial === serial)) return;
    await sleep(PAUSE_MS);
  }
  throw new Error(`${serial} never asked`);
}
