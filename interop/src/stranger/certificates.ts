import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LINTS } from '../lint/lints.ts';
import { readCertificate } from '../lint/read-certificate.ts';
import { check, expectThat, type Report, type Stranger } from '../stranger.ts';
import type { HoldfastWorld } from '../world/holdfast-world.ts';
import { type IssuedCertificate, issuedByProfile, issuedByServer } from '../world/issued-certificates.ts';
import { npmVersion } from '../world/npm-package.ts';
import { debianVersion, runTool, succeed, toolVersion } from '../world/run-tool.ts';

type Judge = (issued: IssuedCertificate) => Promise<void>;

async function everyCertificate(world: HoldfastWorld, report: Report, verb: string, judge: Judge): Promise<void> {
  for (const issued of [...(await issuedByServer(world)), ...(await issuedByProfile(world))]) {
    await check(report, `${verb}: ${issued.name}`, () => judge(issued));
  }
}

export const opensslVerify: Stranger = {
  name: 'openssl verify',
  source: 'Debian',
  deed: '-x509_strict, with purpose and revocation list: every certificate of the server and of every profile',
  install: 'apt-get install openssl',
  version: () => toolVersion('openssl', ['version']),
  meet: (world, report) =>
    everyCertificate(world, report, 'accepts strictly', async ({ file, rootFile, chainFile, crlFile, purpose }) => {
      const chain = ['-CAfile', rootFile, ...(file === chainFile ? [] : ['-untrusted', chainFile])];
      const list = crlFile === undefined ? [] : ['-crl_check', '-CRLfile', crlFile];
      const use = purpose === undefined ? [] : ['-purpose', purpose];
      await succeed('openssl', ['verify', '-x509_strict', ...use, ...list, ...chain, file]);
    }),
};

export const certtool: Stranger = {
  name: 'gnutls-bin',
  source: 'Debian',
  deed: 'certtool --verify at the high profile, with revocation list, and --certificate-info',
  install: 'apt-get install gnutls-bin',
  version: () => debianVersion('gnutls-bin'),
  meet: async (world, report) => {
    await everyCertificate(world, report, 'accepts', async ({ file, rootFile, chainFile, crlFile, name }) => {
      const whole = name === 'root' || file === chainFile ? [file] : [file, chainFile];
      const input = whole.map((each) => readFileSync(each, 'utf8')).join('');
      const list = crlFile === undefined ? [] : ['--load-crl', crlFile];
      const options = ['--verify', '--verify-profile', 'high', '--load-ca-certificate', rootFile, ...list];
      const said = (await succeed('certtool', options, { input })).toString();
      expectThat(/Chain verification output: Verified\. The certificate is trusted/.test(said), `it said ${said}`);
      const info = await runTool('certtool', ['--certificate-info', '--infile', file]);
      expectThat(info.code === 0 && !/error|warning/i.test(info.stderr), `it said ${info.stderr}`);
    });
  },
};

export const pkijsReader: Stranger = {
  name: 'pkijs',
  source: 'npm',
  deed: 'builds the chain of every certificate and finds no broken rule of RFC 5280 in it',
  install: 'npm ci',
  version: () => Promise.resolve(npmVersion('pkijs')),
  meet: async (world, report) => {
    const { Certificate, CertificateChainValidationEngine, CryptoEngine, setEngine } = await import('pkijs');
    // Its types ask for a browser's Crypto, which webcrypto is in all but name.
    setEngine('node', new CryptoEngine({ name: 'node', crypto: webcrypto as never }));
    const read = (der: Uint8Array) => Certificate.fromBER(Uint8Array.from(der).buffer);
    const derOf = (file: string) =>
      new Uint8Array(Buffer.from(readFileSync(file, 'utf8').replaceAll(/-----.*/g, ''), 'base64'));
    await everyCertificate(world, report, 'builds the chain', async ({ der, rootFile, chainFile }) => {
      const engine = new CertificateChainValidationEngine({
        trustedCerts: [read(derOf(rootFile))],
        certs: [read(derOf(chainFile)), read(der)],
        checkDate: new Date(),
      });
      const { result, resultMessage } = await engine.verify();
      expectThat(result, resultMessage);
    });
    await everyCertificate(world, report, `keeps ${LINTS.length} rules`, async ({ der, issuerDer, name }) => {
      const [certificate, issuer] = [readCertificate(der), readCertificate(issuerDer)];
      const subject = { certificate, issuer, selfSigned: name === 'root' };
      const broken = LINTS.map((lint) => lint.judge(subject)).filter((fault) => fault !== undefined);
      expectThat(broken.length === 0, broken.join('; '));
    });
  },
};

export const peculiarX509: Stranger = {
  name: '@peculiar/x509',
  source: 'npm',
  deed: 'reads every certificate and verifies its signature',
  install: 'npm ci',
  version: () => Promise.resolve(npmVersion('@peculiar/x509')),
  meet: async (world, report) => {
    const { cryptoProvider, X509Certificate } = await import('@peculiar/x509');
    cryptoProvider.set(webcrypto as never);
    const read = (der: Uint8Array) => new X509Certificate(Uint8Array.from(der).buffer);
    await everyCertificate(world, report, 'reads and verifies', async ({ der, issuerDer }) => {
      const verified = await read(der).verify({ publicKey: read(issuerDer), date: new Date() });
      expectThat(verified, 'the signature does not verify');
    });
  },
};
