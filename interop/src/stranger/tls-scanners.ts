import { readFileSync } from 'node:fs';
import path from 'node:path';
import { check, expectEqual, expectThat, type Stranger } from '../stranger.ts';
import { HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { debianVersion, runTool, succeed } from '../world/run-tool.ts';

/** Where devices come in by mutual TLS. */
const DEVICE_PORTS = ['mqtt', 'https', 'mux'] as const;

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** A whole scan takes about 40 seconds of mostly waiting. */
const SCAN_LIMIT_MS = 300_000;

const HARMLESS: ReadonlySet<string> = new Set(['OK', 'INFO', 'DEBUG']);

/** What testssl marks down, and why it stands. */
const EXPLAINED: Readonly<Record<string, string>> = {
  OCSP_stapling: 'devices of this trust plane ask the responder that the certificate names; nothing requires stapling',
  DNS_CAArecord: 'of the name localhost, which has no DNS zone, and for public authorities only',
  secure_client_renego: 'not testable without a client certificate; refusal is tested with one in device-tls',
  BREACH: 'not testable without a client certificate; no answer is ever compressed',
};

/** What must have been looked at, so that a scan that saw nothing is no success. */
const MUST_BE_OK = ['TLS1_3', 'TLS1_2', 'SSLv3', 'cipherlist_NULL', 'cipherlist_LOW', 'PFS', 'ROBOT', 'LUCKY13'];

export const testssl: Stranger = {
  name: 'testssl.sh',
  source: 'Debian',
  deed: 'protocols, suites, forward secrecy, certificate and every known attack, on each device port: nothing at LOW or above',
  install: 'apt-get install testssl.sh',
  version: () => debianVersion('testssl.sh'),
  meet: async (world, report) => {
    // Outside the checks, whose time is short: three scans at once cost little more than one.
    const scans = DEVICE_PORTS.map(async (port) => [port, await scan(world, port)] as const);
    for (const [port, findings] of await Promise.all(scans)) {
      await check(report, `${port} port: nothing at LOW or above that is not explained`, () => {
        const faults = findings.filter(({ id, severity }) => !HARMLESS.has(severity) && !Object.hasOwn(EXPLAINED, id));
        expectThat(faults.length === 0, JSON.stringify(faults));
      });
      await check(report, `${port} port: was looked at`, () => {
        const seen = MUST_BE_OK.map((id) => [id, findings.find((each) => each.id === id)?.severity]);
        expectEqual(
          seen,
          MUST_BE_OK.map((id) => [id, 'OK']),
          'findings',
        );
      });
    }
  },
};

async function scan(world: HoldfastWorld, port: (typeof DEVICE_PORTS)[number]): Promise<readonly Finding[]> {
  const file = path.join(world.scratch('testssl'), `${port}.json`);
  const quiet = ['--quiet', '--color', '0', '--warnings', 'off', '--ip', '127.0.0.1'];
  const tests = ['-p', '-s', '-f', '-S', '-U'];
  const where = ['--add-ca', world.rootFile, '--jsonfile', file, `https://${HOST}:${world.ports[port]}`];
  // Its exit code counts findings.
  await runTool('testssl', [...quiet, ...tests, ...where], { limitMs: SCAN_LIMIT_MS });
  return JSON.parse(readFileSync(file, 'utf8')) as readonly Finding[];
}

/** The suites of TLS 1.2 and 1.3 that a device port with an ECDSA certificate offers, as IANA names them. */
const SUITES = [
  'TLS_AKE_WITH_AES_128_GCM_SHA256',
  'TLS_AKE_WITH_AES_256_GCM_SHA384',
  'TLS_AKE_WITH_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
];

export const nmap: Stranger = {
  name: 'nmap',
  source: 'Debian',
  deed: 'ssl-enum-ciphers on each device port: these six suites and no others, grade A',
  install: 'apt-get install nmap',
  version: () => debianVersion('nmap'),
  meet: async (world, report) => {
    for (const port of DEVICE_PORTS) {
      await check(report, `${port} port: six suites, least strength A`, async () => {
        const options = ['-Pn', '-n', '-p', String(world.ports[port]), '--script', 'ssl-enum-ciphers', '127.0.0.1'];
        const said = (await succeed('nmap', options)).toString();
        const suites = [...said.matchAll(/(TLS_\w+) \([^)]*\) - (\w)/g)].map(([, name]) => name ?? '');
        expectEqual([...new Set(suites)].sort(), SUITES, 'suites');
        expectEqual(/least strength: (\w)/.exec(said)?.[1], 'A', 'least strength');
        expectEqual(
          [...said.matchAll(/^\| +(TLSv[\d.]+|SSLv\d):/gm)].map(([, name]) => name),
          ['TLSv1.2', 'TLSv1.3'],
          'versions',
        );
      });
    }
  },
};
