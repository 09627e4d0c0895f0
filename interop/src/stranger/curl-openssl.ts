import { readFileSync } from 'node:fs';
import path from 'node:path';
import { check, expectEqual, expectThat, type Report, type Stranger } from '../stranger.ts';
import { type Credential, HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { succeed, toolVersion } from '../world/run-tool.ts';

const EST = '/.well-known/est';

export const curlOpenssl: Stranger = {
  name: 'curl and openssl',
  source: 'Debian',
  deed: 'EST and the data planes over HTTPS (publish, retained, shadow, jobs); TLS 1.2 and 1.3; openssl reads every answer',
  install: 'apt-get install curl openssl',
  version: async () => {
    const versions = [await toolVersion('curl', ['--version']), await toolVersion('openssl', ['version'])];
    return versions.includes(undefined) ? undefined : versions.join(' and ');
  },
  meet: async (world, report) => {
    await readAuthorities(world, report);
    for (const tls of ['1.2', '1.3']) await enrollAndRenew(world, report, tls);
    await refuse(world, report);
    for (const port of ['https', 'mux'] as const) await useDataPlanes(world, report, port);
  },
};

async function readAuthorities(world: HoldfastWorld, report: Report): Promise<void> {
  const url = `https://${HOST}:${world.ports.enroll}${EST}`;
  await check(
    report,
    'cacerts, without a client certificate: openssl reads the issuing and the root certificate',
    async () => {
      const answer = await succeed('curl', ['-sSf', '--cacert', world.rootFile, `${url}/cacerts`]);
      const subjects = await certificatesIn(answer);
      expectEqual(
        subjects,
        ['O = Holdfast, CN = Holdfast Issuing CA', 'O = Holdfast, CN = Holdfast Root CA'],
        'subjects',
      );
    },
  );
  await check(report, 'cacerts is a signed message to openssl cms too', async () => {
    const answer = await succeed('curl', ['-sSf', '--cacert', world.rootFile, `${url}/cacerts`]);
    const text = await succeed('openssl', ['cms', '-cmsout', '-print', '-inform', 'DER'], { input: decode(answer) });
    expectThat(text.includes('pkcs7-signedData'), 'openssl cms found no SignedData');
  });
  await check(report, 'csrattrs: openssl finds P-256 and ecdsa-with-SHA256', async () => {
    const answer = await succeed('curl', ['-sSf', '--cacert', world.rootFile, `${url}/csrattrs`]);
    const text = (await succeed('openssl', ['asn1parse', '-inform', 'DER'], { input: decode(answer) })).toString();
    for (const name of ['ecdsa-with-SHA256', 'prime256v1']) expectThat(text.includes(name), `no ${name} in ${text}`);
  });
}

async function enrollAndRenew(world: HoldfastWorld, report: Report, tls: string): Promise<void> {
  const serial = world.newSerial('curl');
  let current = await world.claimFor(serial);
  for (const operation of ['simpleenroll', 'simplereenroll']) {
    await check(report, `${operation} over TLS ${tls}`, async () => {
      const request = await makeRequest(world, serial);
      const answer = await post(world, operation, current, request.csr, ['--tlsv1.2', '--tls-max', tls]);
      expectEqual(await certificatesIn(answer), [`CN = ${serial}`], 'the issued certificate, alone');
      const pem = await pemOf(answer);
      current = world.keep(`${serial}-${operation}`, pem, request.keyPem);
      const [certified, own] = await Promise.all([
        succeed('openssl', ['x509', '-noout', '-pubkey', '-in', current.certificateFile]),
        succeed('openssl', ['pkey', '-pubout', '-in', current.keyFile]),
      ]);
      expectEqual(certified.toString(), own.toString(), 'public key');
    });
  }
  await check(report, `the renewed certificate opens a session of openssl s_client, TLS ${tls}`, async () => {
    const credential = ['-cert', current.certificateFile, '-key', current.keyFile, '-CAfile', world.rootFile];
    const version = tls === '1.2' ? '-tls1_2' : '-tls1_3';
    const where = ['-connect', `${HOST}:${world.ports.https}`, '-servername', HOST, '-verify_return_error'];
    const request = `GET ${EST}/cacerts HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`;
    const said = await succeed('openssl', ['s_client', ...where, ...credential, version, '-ign_eof'], {
      input: request,
    });
    expectThat(said.includes('HTTP/1.1 200'), `the answer was ${said.toString().slice(-300)}`);
  });
}

async function refuse(world: HoldfastWorld, report: Report): Promise<void> {
  const serial = world.newSerial('curl');
  const claim = await world.claimFor(serial);
  const { csr } = await makeRequest(world, serial);
  await check(report, 'a claim is refused the serial number of a device that has a certificate', async () => {
    await post(world, 'simpleenroll', claim, csr);
    const other = await makeRequest(world, serial);
    expectThat((await statusOf(world, 'simpleenroll', claim, other.csr)) >= 400, 'it was enrolled again');
  });
  await check(report, 'a request for CA:TRUE is refused', async () => {
    const wish = ['-addext', 'basicConstraints=critical,CA:TRUE'];
    const wanting = await makeRequest(world, serial, wish);
    expectEqual(
      await statusOf(world, 'simpleenroll', await world.claimFor(world.newSerial('curl')), wanting.csr),
      400,
      'status',
    );
  });
  await check(report, 'a certificate of a foreign authority with the same subject is refused', async () => {
    const folder = world.scratch('curl');
    const [keyFile, certificateFile] = [path.join(folder, 'foreign.key'), path.join(folder, 'foreign.crt')];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
    await succeed('openssl', ['req', '-x509', ...key, '-subj', `/CN=${serial}`, '-days', '1', '-out', certificateFile]);
    const refused = await statusOf(world, 'simplereenroll', { ...claim, keyFile, certificateFile }, csr);
    expectEqual(refused, 0, 'status (0: no answer, the handshake failed)');
  });
}

async function useDataPlanes(world: HoldfastWorld, report: Report, port: 'https' | 'mux'): Promise<void> {
  const device = await world.enroll('curl');
  const own = `devices/${device.deviceId}`;
  const things = `/things/${device.deviceId}`;
  const ask = async (target: string, options: readonly string[] = []) => {
    const credential = ['--cacert', world.rootFile, '--cert', device.certificateFile, '--key', device.keyFile];
    const url = `https://${HOST}:${world.ports[port]}${target}`;
    const said = await succeed('curl', ['-sS', '-w', '\n%{http_code}', ...credential, ...options, url]);
    const [body = '', status = ''] = said.toString().split(/\n(?=\d+$)/);
    return { status, json: JSON.parse(body) as Record<string, unknown> };
  };
  await check(report, `publishes and finds what is retained, ${port} port`, async () => {
    const posted = await ask(`/topics/${own}/kept?qos=1&retain=true`, ['--data-binary', 'kept']);
    expectEqual([posted.status, posted.json['message']], ['200', 'OK'], 'publish');
    const found = await ask(`/retainedMessage/${encodeURIComponent(`${own}/kept`)}`);
    expectEqual(found.json['payload'], Buffer.from('kept').toString('base64'), 'payload');
    expectEqual((await ask('/topics/devices/other/x', ['-d', 'no'])).status, '403', 'another device');
  });
  await check(report, `updates its shadow and works on a job, ${port} port`, async () => {
    const state = JSON.stringify({ state: { reported: { on: true } } });
    expectEqual((await ask(`${things}/shadow`, ['-d', state])).json['version'], 1, 'shadow version');
    const jobId = world.newSerial('errand');
    await world.api.call('jobs.create', { body: { jobId, devices: [device.deviceId], document: { blink: 1 } } });
    const { execution } = (await ask(`${things}/jobs/$next`, ['-X', 'PUT', '-d', '{}'])).json;
    expectEqual((execution as Record<string, unknown>)['jobId'], jobId, 'job');
    expectEqual((await ask(`${things}/jobs/${jobId}`, ['-d', '{"status":"SUCCEEDED"}'])).status, '200', 'update');
  });
}

interface StockRequest {
  readonly csr: Buffer;
  readonly keyPem: string;
}

async function makeRequest(world: HoldfastWorld, serial: string, more: readonly string[] = []): Promise<StockRequest> {
  const keyFile = path.join(world.scratch('curl'), `${world.newSerial('request')}.key`);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  const csr = await succeed('openssl', ['req', '-new', ...key, '-subj', `/CN=${serial}`, '-outform', 'DER', ...more]);
  return { csr, keyPem: readFileSync(keyFile, 'utf8') };
}

function curlOptions(
  world: HoldfastWorld,
  operation: string,
  { certificateFile, keyFile }: Credential,
): readonly string[] {
  const credential = ['--cacert', world.rootFile, '--cert', certificateFile, '--key', keyFile];
  const body = ['-H', 'Content-Type: application/pkcs10', '--data-binary', '@-'];
  return ['-sS', ...credential, ...body, `https://${HOST}:${world.ports.https}${EST}/${operation}`];
}

async function post(
  world: HoldfastWorld,
  operation: string,
  credential: Credential,
  csr: Buffer,
  more: readonly string[] = [],
): Promise<Buffer> {
  const input = await succeed('openssl', ['base64'], { input: csr });
  return await succeed('curl', ['-f', ...more, ...curlOptions(world, operation, credential)], { input });
}

/** The status, or 0 when there was none. */
async function statusOf(world: HoldfastWorld, operation: string, credential: Credential, csr: Buffer): Promise<number> {
  const write = ['-o', '/dev/null', '-w', '%{http_code}'];
  try {
    const options = [...write, ...curlOptions(world, operation, credential)];
    return Number(await succeed('curl', options, { input: csr.toString('base64') }));
  } catch {
    return 0;
  }
}

const decode = (answer: Buffer): Buffer => Buffer.from(answer.toString(), 'base64');

async function pemOf(answer: Buffer): Promise<string> {
  const pem = await succeed('openssl', ['pkcs7', '-inform', 'DER', '-print_certs'], { input: decode(answer) });
  return pem.toString();
}

async function certificatesIn(answer: Buffer): Promise<readonly string[]> {
  return [...(await pemOf(answer)).matchAll(/^subject=(.*)$/gm)].map((match) => match[1] ?? '').sort();
}
