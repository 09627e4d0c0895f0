import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { check, expectEqual, expectThat, type Stranger } from '../stranger.ts';
import { type Credential, HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { debianVersion, runTool, succeed } from '../world/run-tool.ts';

/** The tool itself, what fetches URLs, and what does elliptic curves. */
const PACKAGES = ['strongswan-pki', 'libstrongswan-extra-plugins', 'libstrongswan-standard-plugins'];

export const strongswan: Stranger = {
  name: 'strongswan-pki',
  source: 'Debian',
  deed: 'pki --estca, pki --est enrolls with a claim and renews, --print, --verify --online before and after a revocation',
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
  const folder = world.scratch('strongswan-keys');
  const name = world.newSerial('key');
  const [keyFile, csrFile] = [path.join(folder, `${name}.key`), path.join(folder, `${name}.csr`)];
  writeFileSync(keyFile, await succeed('pki', ['--gen', '--type', 'ecdsa', '--size', '256', '--outform', 'pem']));
  const asked = ['--in', keyFile, '--type', 'ecdsa', '--dn', `CN=${serial}`, '--outform', 'pem'];
  writeFileSync(csrFile, await succeed('pki', ['--req', ...asked]));
  const shown = ['--cert', credential.certificateFile, '--key', credential.keyFile];
  const trusted = ['ca.pem', 'ca-1.pem'].flatMap((file) => ['--cacert', path.join(world.scratch('strongswan'), file)]);
  const url = ['--url', `https://${HOST}:${world.ports.https}`];
  const pem = await succeed('pki', ['--est', ...url, '--in', csrFile, ...shown, ...trusted, '--outform', 'pem']);
  const key = await succeed('openssl', ['pkey', '-in', keyFile]);
  return world.keep(`${serial}-${name}`, pem.toString(), key.toString());
}
