import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { connect } from 'node:tls';
import { check, expectEqual, expectThat, type Stranger } from '../stranger.ts';
import { stationDevice } from '../world/factory-station.ts';
import { HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { runTool, succeed, toolVersion } from '../world/run-tool.ts';

export const opensslPkcs12: Stranger = {
  name: 'openssl pkcs12',
  source: 'Debian',
  deed: 'opens the PKCS #12 file of a factory station, refuses a wrong password; Node connects with it',
  install: 'apt-get install openssl',
  version: () => toolVersion('openssl', ['version']),
  meet: async (world, report) => {
    const made = await stationDevice(world, 'p12-1', ['--format', 'pem,pkcs12']);
    const file = (name: string) => path.join(made, name);
    const open = ['pkcs12', '-in', file('identity.p12'), '-passin', `file:${file('identity.p12.password')}`];
    await check(report, 'says how it is protected', async () => {
      const { stdout, stderr } = await runTool('openssl', [...open, '-noout', '-info']);
      const said = `${stdout.toString()}${stderr}`;
      for (const words of ['MAC: sha256', 'AES-256-CBC', 'hmacWithSHA256', 'Shrouded Keybag']) {
        expectThat(said.includes(words), `no ${words} in ${said}`);
      }
    });
    await check(report, 'has the certificates of the chain and the key', async () => {
      const pem = (await succeed('openssl', [...open, '-nodes'])).toString();
      const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n/g) ?? [];
      expectEqual(blocks.join(''), readFileSync(file('chain.pem'), 'utf8'), 'certificates');
      const key = /-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----\n/.exec(pem)?.[0];
      expectThat(key === readFileSync(file('key.pem'), 'utf8'), 'another key');
    });
    await check(report, 'refuses another password', async () => {
      const { code } = await runTool('openssl', ['pkcs12', '-in', file('identity.p12'), '-passin', 'pass:x', '-noout']);
      expectThat(code !== 0, 'it was opened');
    });
    await check(report, 'is enough for Node to connect', async () => {
      const ready = Promise.withResolvers<void>();
      const socket = connect({
        host: HOST,
        port: world.ports.mqtt,
        ca: world.rootPem,
        pfx: readFileSync(file('identity.p12')),
        passphrase: readFileSync(file('identity.p12.password'), 'utf8'),
      });
      socket.once('secureConnect', () => ready.resolve()).once('error', ready.reject);
      await ready.promise;
      socket.destroy();
    });
  },
};

const PROGRAM = `#include <stdio.h>
#include "holdfast_identity.h"
static void put(const char *name, const unsigned char *bytes, size_t length) {
  printf("%s ", name);
  for (size_t at = 0; at < length; at++) printf("%02x", bytes[at]);
  printf("\\n");
}
int main(void) {
  put(holdfast_serial, holdfast_chain_pem, sizeof holdfast_chain_pem - 1);
  put("roots", holdfast_roots_pem, sizeof holdfast_roots_pem - 1);
  put("key", holdfast_private_key_der, sizeof holdfast_private_key_der);
  return 0;
}
`;

export const gcc: Stranger = {
  name: 'gcc',
  source: 'Debian',
  deed: 'compiles the C header of a factory station without a warning; the program prints its chain, roots and key',
  install: 'apt-get install gcc libc6-dev',
  version: () => toolVersion('gcc', ['--version']),
  meet: async (world, report) => {
    const made = await stationDevice(world, 'c-1', ['--format', 'pem,c-header']);
    await check(report, 'the program has what the files say', async () => {
      const [source, program] = [path.join(made, 'main.c'), path.join(made, 'main')];
      writeFileSync(source, PROGRAM);
      const strict = ['-std=c99', '-pedantic', '-Wall', '-Wextra', '-Werror'];
      await succeed('gcc', [...strict, '-o', program, source]);
      const read = (name: string) => readFileSync(path.join(made, name)).toString('hex');
      const sec1 = await succeed('openssl', ['ec', '-in', path.join(made, 'key.pem'), '-outform', 'der']);
      const expected = [`c-1 ${read('chain.pem')}`, `roots ${read('roots.pem')}`, `key ${sec1.toString('hex')}`];
      expectEqual((await succeed(program, [])).toString(), `${expected.join('\n')}\n`, 'output');
    });
  },
};

export const zbar: Stranger = {
  name: 'zbarimg',
  source: 'Debian',
  deed: 'reads the labels of a factory station, drawn by librsvg; curl enrolls with the password on one, once',
  install: 'apt-get install zbar-tools librsvg2-bin curl openssl',
  version: async () =>
    (await toolVersion('rsvg-convert', ['--version'])) === undefined
      ? undefined
      : toolVersion('zbarimg', ['--version']),
  meet: async (world, report) => {
    const scan = async (made: string): Promise<URLSearchParams> => {
      const picture = path.join(made, 'label.png');
      await succeed('rsvg-convert', ['-o', picture, path.join(made, 'label.svg')]);
      const read = (await succeed('zbarimg', ['-q', '--raw', picture])).toString();
      expectEqual(read, readFileSync(path.join(made, 'label.txt'), 'utf8'), 'label');
      return new URLSearchParams(read.trim().replace(/^holdfast:1\?/, ''));
    };
    await check(report, 'the label of a device with a certificate', async () => {
      const made = await stationDevice(world, 'label-1', ['--format', 'pem,label']);
      const der = await succeed('openssl', ['x509', '-in', path.join(made, 'certificate.pem'), '-outform', 'der']);
      const label = await scan(made);
      expectEqual(label.get('certificate'), createHash('sha256').update(der).digest('hex'), 'fingerprint');
    });
    await check(report, 'the label of a device that enrolls with its password', async () => {
      const label = await scan(await stationDevice(world, 'label-2', ['--keys', 'field', '--format', 'label']));
      expectEqual(label.get('serial'), 'label-2', 'serial number');
      expectThat(/^[0-9a-z]{6}(-[0-9a-z]{6}){3}$/.test(label.get('password') ?? ''), 'no password');
      const root = await succeed('openssl', ['x509', '-in', world.rootFile, '-outform', 'der']);
      expectEqual(label.get('root'), createHash('sha256').update(root).digest('hex'), 'root');
      const userpass = `${label.get('serial')}:${label.get('password')}`;
      expectEqual(await enrollBy(world, userpass), '200', 'first answer');
      expectEqual(await enrollBy(world, userpass), '401', 'answer to another key');
    });
  },
};

/** @returns the status of EST simpleenroll with a fresh key */
async function enrollBy(world: HoldfastWorld, userpass: string): Promise<string> {
  const folder = world.scratch('label');
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path.join(folder, 'key')];
  const der = await succeed('openssl', ['req', '-new', ...fresh, '-subj', '/CN=any', '-outform', 'DER']);
  const said = await succeed(
    'curl',
    [
      '-sS',
      '--cacert',
      world.rootFile,
      '-o',
      path.join(folder, 'answer'),
      '-w',
      '%{http_code}',
      '--user',
      userpass,
      '-H',
      'content-type: application/pkcs10',
      '--data-binary',
      '@-',
      `https://${HOST}:${world.ports.enroll}/.well-known/est/simpleenroll`,
    ],
    { input: der.toString('base64') },
  );
  return said.toString();
}
