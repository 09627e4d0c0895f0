import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { extendPcr, initialPcr, makeCredential, tpmName } from '@holdfast/crypto';
import {
  type DeviceIdentity,
  enrollByTpm,
  FileStore,
  HttpsClient,
  IdentityStore,
  postJsonOver,
  Tpm,
  TpmIdentity,
  TpmKeyStore,
} from '@holdfast/device';
import { encodeHex, encodeUtf8, equalBytes, systemClock, systemRandom } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import { encodeEventLog, encodeTpmPublic, type EventLog } from '@holdfast/wire/tpm2';
import { check, expectEqual, expectThat, type Report, type Stranger } from '../stranger.ts';
import { HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { debianVersion, runTool, succeed } from '../world/run-tool.ts';
import { SwTpm } from '../world/swtpm.ts';

const PRODUCT = 'tpm-gateway';
const REVISION = 'rev-a';
const PACKAGES = ['swtpm', 'swtpm-tools', 'tpm2-tools', 'tpm2-openssl'] as const;
const GATEWAY = fileURLToPath(new URL('tpm-gateway.ts', import.meta.url));
const PCRS = 'sha256:0,1,2,3,4,7';
const LOADER = new Uint8Array(32).fill(0xa4);
const LOG: EventLog = {
  startupLocality: 0,
  events: [{ pcr: 4, type: 0xd, digests: new Map([['sha256', LOADER]]), data: encodeUtf8('loader') }],
};

export const tpm: Stranger = {
  name: 'swtpm, tpm2-tools and tpm2-openssl',
  source: 'Debian',
  deed: 'a gateway enrolls by its TPM, connects with the key in it and proves its registers; tpm2-tools judges what we made',
  install: `apt-get install ${PACKAGES.join(' ')} libtss2-tcti-swtpm0`,
  version: async () => {
    const versions = await Promise.all(PACKAGES.map(debianVersion));
    return versions.includes(undefined) ? undefined : `swtpm ${versions[0] ?? ''}, tpm2-tools ${versions[2] ?? ''}`;
  },
  meet: async (world, report) => {
    const folder = world.scratch('tpm');
    const swtpm = await SwTpm.start(folder);
    const chip = await Tpm.open(swtpm.address);
    const keys = new TpmKeyStore(chip, new FileStore(path.join(folder, 'gateway')));
    const bench: Bench = { world, report, folder, swtpm, keys, identity: new TpmIdentity(chip, keys, systemRandom) };
    try {
      await meetTools(bench);
      await meetServer(bench);
    } finally {
      await chip.close();
      swtpm.close();
    }
  },
};

interface Bench {
  readonly world: HoldfastWorld;
  readonly report: Report;
  readonly folder: string;
  readonly swtpm: SwTpm;
  readonly keys: TpmKeyStore;
  readonly identity: TpmIdentity;
}

/** What we read, make and verify, held against tpm2-tools on the same TPM. */
async function meetTools({ report, folder, swtpm, identity }: Bench): Promise<void> {
  const file = (name: string): string => path.join(folder, name);
  const tool = (name: string, ...args: readonly string[]) => succeed(name, args, { env: swtpm.environment });
  await check(report, 'the endorsement certificate is what tpm2_nvread reads', async () => {
    const { certificateDer } = await identity.endorsement();
    const read = await tool('tpm2_nvread', '0x01c00002');
    expectThat(equalBytes(read.subarray(0, certificateDer.length), certificateDer), 'another certificate');
  });
  await check(report, 'a credential of ours is opened by the TPM, for our key alone', async () => {
    const endorsement = await identity.endorsement();
    const secret = systemRandom.bytes(32);
    const attestation = await identity.attestationKey();
    const credential = makeCredential(endorsement.area, tpmName(attestation), secret, systemRandom);
    expectThat(equalBytes(await identity.activate(endorsement, credential), secret), 'another secret');
    const other = makeCredential(endorsement.area, tpmName(endorsement.area), secret, systemRandom);
    const isOpened = await identity.activate(endorsement, other).then(
      () => true,
      () => false,
    );
    expectThat(!isOpened, 'opened for another key');
  });
  await check(report, 'tpm2_checkquote believes a quote of ours', async () => {
    const nonce = systemRandom.bytes(20);
    const { attest, signature } = await identity.quote(nonce, [0, 1, 2, 3, 4, 7], undefined);
    const area = encodeTpmPublic(await identity.attestationKey());
    writeFileSync(file('ak.pub'), Uint8Array.of(area.length >> 8, area.length & 0xff, ...area));
    writeFileSync(file('quote.msg'), attest);
    writeFileSync(file('quote.sig'), signature);
    const args = ['-u', file('ak.pub'), '-m', file('quote.msg'), '-s', file('quote.sig'), '-q'];
    await tool('tpm2_checkquote', ...args, encodeHex(nonce));
    const { code } = await runTool('tpm2_checkquote', [...args, '00'], { env: swtpm.environment });
    expectThat(code !== 0, 'believed under another nonce');
  });
  await check(report, 'tpm2_eventlog comes to the registers we come to', async () => {
    writeFileSync(file('log.bin'), encodeEventLog(LOG));
    const replayed = (await tool('tpm2_eventlog', file('log.bin'))).toString();
    const expected = encodeHex(extendPcr('sha256', initialPcr(4, 'sha256'), LOADER));
    expectThat(replayed.toLowerCase().includes(`0x${expected}`), `another value than ${expected}`);
  });
}

/** The whole way, from the listing of a TPM to a posture. */
async function meetServer(bench: Bench): Promise<void> {
  const { world, report, swtpm } = bench;
  await world.api.call('products.create', { body: { name: PRODUCT } });
  const serial = world.newSerial('tpm');
  const { id: claim } = await world.api.call('claims.create', { body: { product: PRODUCT, serials: [serial] } });
  await check(report, 'a TPM nobody listed is not let in', async () => {
    const refusal = await enroll(bench, serial).then(
      () => 'let in',
      (error: unknown) => JSON.stringify(error),
    );
    expectThat(refusal.includes('identity.tpm_unknown'), refusal);
  });
  const isEnrolled = await check(report, 'a listed TPM gets its device, its key never outside it', async () => {
    const certificatePem = encodePem('CERTIFICATE', (await bench.identity.endorsement()).certificateDer);
    await world.api.call('tpms.add', { body: { certificatePem, claim, serial } });
    const { deviceId, certificatePem: issued } = await enroll(bench, serial);
    expectEqual(deviceId, serial, 'the device');
    world.keep(`tpm-${serial}`, issued, '');
  });
  if (!isEnrolled) return;
  const tool = (name: string, ...args: readonly string[]) => succeed(name, args, { env: swtpm.environment });
  await check(report, 'it connects by TLS with the key in the TPM and proves what it measured', async () => {
    await tool('tpm2_pcrextend', `4:sha256=${encodeHex(LOADER)}`);
    await recordRegisters(bench);
    expectEqual(await prove(bench), ['proven', []], 'the posture');
    expectEqual(await prove(bench, 'log.bin'), ['proven', []], 'the posture with a log');
  });
  await check(report, 'another boot loader restricts it, and the register is named', async () => {
    await tool('tpm2_pcrextend', `4:sha256=${encodeHex(LOADER)}`);
    const [posture, reasons] = await prove(bench);
    expectEqual(posture, 'restricted', 'the posture');
    expectThat(String(reasons).includes('register 4 (boot loader)'), String(reasons));
  });
}

async function enroll({ world, keys, identity, folder }: Bench, serial: string): Promise<DeviceIdentity> {
  const identities = new IdentityStore(new FileStore(path.join(folder, 'gateway')), keys);
  const https = new HttpsClient({ anchors: [world.rootPem] }, systemClock);
  try {
    const post = postJsonOver(https, `https://${HOST}:${world.ports.enroll}`);
    return await enrollByTpm({ tpm: identity, keys, identities, serial }, post);
  } finally {
    https.close();
  }
}

/** As the guide has it: tpm2_pcrread on a machine that is known to be good. */
async function recordRegisters({ world, swtpm }: Bench): Promise<void> {
  const printed = (await succeed('tpm2_pcrread', [PCRS], { env: swtpm.environment })).toString();
  const lines = [...printed.matchAll(/^\s*(\d+)\s*:\s*0x([0-9A-F]{64})/gm)];
  const registers = Object.fromEntries(lines.map(([, pcr = '', value = '']) => [pcr, value.toLowerCase()]));
  const body = { version: '1.0.0', hardwareRevision: REVISION, registers };
  await world.api.call('tpm-references.record', { product: PRODUCT, body });
}

/** @returns posture and reasons, as the gateway was answered */
async function prove({ world, swtpm, folder }: Bench, log?: string): Promise<readonly [string, readonly string[]]> {
  const configuration = path.join(folder, 'openssl.cnf');
  writeFileSync(configuration, await opensslConfiguration());
  const args = [GATEWAY, swtpm.address, path.join(folder, 'gateway'), world.rootFile, String(world.ports.mqtt)];
  const env = { ...swtpm.environment, OPENSSL_CONF: configuration };
  const said = await succeed(process.execPath, [...args, ...(log === undefined ? [] : [path.join(folder, log)])], {
    env,
  });
  const { posture, reasons } = JSON.parse(said.toString()) as { posture: string; reasons: readonly string[] };
  return [posture, reasons];
}

/** The configuration of docs/guides/tpm-gateway.md, with the module where this system has it. */
async function opensslConfiguration(): Promise<string> {
  const guide = readFileSync(new URL('../../../docs/guides/tpm-gateway.md', import.meta.url), 'utf8');
  const written = /```ini\n([\s\S]*?)```/.exec(guide)?.[1];
  const files = (await succeed('dpkg-query', ['-L', 'tpm2-openssl'])).toString().split('\n');
  const module = files.find((each) => each.endsWith('/tpm2.so'));
  if (written === undefined || module === undefined) throw new Error('no configuration, or no module');
  return written.replace(/^module = .*$/m, `module = ${module}`);
}
