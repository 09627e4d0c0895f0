import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encryptNvs, sha256 } from '@holdfast/crypto';
import { concatBytes, encodeBase64, encodeHex, encodeUtf8, seededRandom } from '@holdfast/kernel';
import { encodeEspSecureCert, ESP_SECURE_CERT_TYPE } from '@holdfast/wire/esp-secure-cert';
import { decodeNvsPartition, encodeNvsKeys, encodeNvsPartition, type NvsItem } from '@holdfast/wire/esp32';
import { check, expectEqual, type Stranger } from '../stranger.ts';
import { stationDevice } from '../world/factory-station.ts';
import { runTool, succeed } from '../world/run-tool.ts';

const PYTHON = process.env['HOLDFAST_PYTHON'] ?? 'python3';
const GENERATOR = ['-m', 'esp_idf_nvs_partition_gen'];
const CASES = 12;

export const nvsGenerator: Stranger = {
  name: 'esp-idf-nvs-partition-gen',
  source: 'PyPI',
  deed: 'makes and encrypts the same NVS partitions, and opens the encrypted one of a factory station',
  install: 'pip install esp-idf-nvs-partition-gen',
  version: () => distributionVersion('esp-idf-nvs-partition-gen'),
  meet: async (world, report) => {
    const folder = world.scratch('nvs');
    for (let seed = 0; seed < CASES; seed++) {
      const items = drawItems(seed);
      const pages = 4 + Math.ceil(items.reduce((sum, item) => sum + sizeOf(item), 0) / 3000);
      await check(report, `the same bytes: case ${seed}, ${items.length} items, ${pages} pages`, async () => {
        const length = pages * 4096;
        const theirs = await generate(folder, items, [
          'generate',
          'items.csv',
          'theirs.bin',
          `0x${length.toString(16)}`,
        ]);
        const ours = encodeNvsPartition(items, length);
        expectEqual(encodeHex(sha256(ours)), encodeHex(sha256(theirs)), 'digest of the partition');
        expectEqual(decodeNvsPartition(theirs).length, items.length, 'items read');
      });
    }
    await check(report, 'the same bytes under the same keys', async () => {
      const items = drawItems(99);
      const keys = encodeNvsKeys(seededRandom(5).bytes(64));
      writeFileSync(path.join(folder, 'keys.bin'), keys);
      const theirs = await generate(folder, items, [
        'encrypt',
        'items.csv',
        'theirs.bin',
        '0x8000',
        '--inputkey',
        'keys.bin',
      ]);
      expectEqual(
        encodeHex(sha256(encryptNvs(encodeNvsPartition(items, 0x8000), keys))),
        encodeHex(sha256(theirs)),
        'digest',
      );
    });
    await check(report, 'opens what the station encrypted', async () => {
      const made = await stationDevice(world, 'nvs-1', ['--format', 'pem,nvs', '--nvs-encrypt']);
      const files = [path.join(made, 'nvs.bin'), path.join(made, 'nvs-keys.bin'), 'opened.bin'];
      await succeed(PYTHON, [...GENERATOR, 'decrypt', ...files, '--outdir', folder], { cwd: folder });
      const items = decodeNvsPartition(readFileSync(path.join(folder, 'opened.bin')));
      expectEqual(
        items.find(({ key }) => key === 'dev_cert')?.value,
        readFileSync(path.join(made, 'chain.pem'), 'utf8'),
        'chain',
      );
    });
  },
};

export const espSecureCert: Stranger = {
  name: 'esp-secure-cert-tool',
  source: 'PyPI',
  deed: 'reads the esp_secure_cert partition of a factory station, and makes the same bytes of the same files',
  install: 'pip install esp-secure-cert-tool',
  version: () => distributionVersion('esp-secure-cert-tool'),
  meet: async (world, report) => {
    const folder = world.scratch('esp-secure-cert');
    const made = await stationDevice(world, 'esc-1', ['--format', 'pem,esp-secure-cert']);
    const file = (name: string) => path.join(made, name);
    await check(report, 'reads roots, chain and key out of it', async () => {
      await configure(folder, ['--parse_bin', file('esp_secure_cert.bin')]);
      const read = (name: string) =>
        readFileSync(path.join(folder, 'esp_secure_cert_parsed_data/contents', name), 'utf8');
      expectEqual(read('cacert_0_0.pem').replace(/\0$/, ''), readFileSync(file('roots.pem'), 'utf8'), 'roots');
      expectEqual(read('devcert_1_0.pem').replace(/\0$/, ''), readFileSync(file('chain.pem'), 'utf8'), 'chain');
      writeFileSync(path.join(folder, 'read.pem'), read('privkey_2_0.pem').replace(/\0$/, ''), { mode: 0o600 });
      const publicOf = (key: string) => succeed('openssl', ['pkey', '-in', key, '-pubout'], { cwd: folder });
      expectEqual((await publicOf('read.pem')).toString(), (await publicOf(file('key.pem'))).toString(), 'public key');
    });
    await check(report, 'makes the same partition', async () => {
      const inputs = [
        '--ca-cert',
        file('roots.pem'),
        '--device-cert',
        file('certificate.pem'),
        '--private-key',
        file('key.pem'),
      ];
      await configure(folder, ['--skip_flash', ...inputs]);
      const theirs = readFileSync(path.join(folder, 'esp_secure_cert_data/esp_secure_cert.bin'));
      const sec1 = await succeed('openssl', ['ec', '-in', file('key.pem')]);
      expectEqual(
        encodeHex(partition(file('roots.pem'), file('certificate.pem'), sec1)),
        encodeHex(theirs),
        'partition',
      );
    });
    await check(report, 'finds every checksum right, and one wrong after one changed bit', async () => {
      const altered = readFileSync(file('esp_secure_cert.bin'));
      altered[40] = (altered[40] ?? 0) ^ 1;
      writeFileSync(path.join(folder, 'altered.bin'), altered);
      expectEqual(await checksums(file('esp_secure_cert.bin')), [4, 0], 'right and wrong');
      expectEqual(await checksums(path.join(folder, 'altered.bin')), [3, 1], 'right and wrong');
    });
  },
};

function partition(roots: string, certificate: string, key: Uint8Array): Uint8Array {
  const entry = (type: number, value: Uint8Array) => ({ type, subtype: 0, flags: 0, value });
  const text = (bytes: Uint8Array) => concatBytes(bytes, Uint8Array.of(0));
  const { caCertificate, deviceCertificate, privateKey, integrity } = ESP_SECURE_CERT_TYPE;
  const entries = [
    entry(caCertificate, text(readFileSync(roots))),
    entry(deviceCertificate, text(readFileSync(certificate))),
    entry(privateKey, text(key)),
  ];
  return encodeEspSecureCert([...entries, entry(integrity, sha256(encodeEspSecureCert(entries)))]);
}

async function configure(cwd: string, args: readonly string[]): Promise<void> {
  await succeed(PYTHON, [await script(), '--target_chip', 'esp32c3', ...args], { cwd });
}

const LIST_ENTRIES = 'import sys, esp_secure_cert.tlv_parser as parser; parser.process_tlv_entries(sys.argv[1])';

/** How many entries' checksums are right, and how many wrong, by the tool's own words. */
async function checksums(partitionFile: string): Promise<readonly number[]> {
  const said = await succeed(PYTHON, ['-c', LIST_ENTRIES, partitionFile], {
    env: { PYTHONIOENCODING: 'utf-8' },
  });
  return [/ VALID\)/g, / INVALID\)/g].map((pattern) => said.toString().match(pattern)?.length ?? 0);
}

/** The tool is a script beside the interpreter, not a module. */
async function script(): Promise<string> {
  const folder = await succeed(PYTHON, ['-c', 'import sysconfig; print(sysconfig.get_path("scripts"))']);
  return path.join(folder.toString().trim(), 'configure_esp_secure_cert.py');
}

async function distributionVersion(name: string): Promise<string | undefined> {
  try {
    const said = await runTool(PYTHON, [
      '-c',
      `import importlib.metadata; print(importlib.metadata.version("${name}"))`,
    ]);
    return said.code === 0 ? said.stdout.toString().trim() : undefined;
  } catch {
    return undefined;
  }
}

/** Numbers, texts and blobs in two namespaces, some longer than a page. */
function drawItems(seed: number): readonly NvsItem[] {
  const random = seededRandom(seed * 7 + 1);
  const below = (limit: number): number => new DataView(random.bytes(4).buffer).getUint32(0) % limit;
  return Array.from({ length: 1 + below(25) }, (_, at, count = 25): NvsItem => {
    const place = { namespace: at < count / 2 ? 'first' : 'second', key: `key-${at}` };
    const kind = below(5);
    if (kind === 0) return { ...place, kind: 'u8', value: below(256) };
    if (kind === 1) return { ...place, kind: 'u16', value: below(65_536) };
    if (kind === 2) return { ...place, kind: 'u32', value: below(2 ** 32) };
    if (kind === 3) return { ...place, kind: 'string', value: 'x'.repeat(1 + below(1500)) };
    return { ...place, kind: 'blob', value: random.bytes(1 + below(6000)) };
  });
}

function sizeOf(item: NvsItem): number {
  return 64 + (typeof item.value === 'number' ? 0 : item.value.length);
}

async function generate(folder: string, items: readonly NvsItem[], args: readonly string[]): Promise<Uint8Array> {
  const lines = ['key,type,encoding,value'];
  let namespace = '';
  for (const item of items) {
    if (item.namespace !== namespace) lines.push(`${item.namespace},namespace,,`);
    namespace = item.namespace;
    lines.push(`${item.key},data,${encodingOf(item)}`);
  }
  writeFileSync(path.join(folder, 'items.csv'), encodeUtf8(`${lines.join('\n')}\n`));
  await succeed(PYTHON, [...GENERATOR, ...args, '--outdir', folder], { cwd: folder });
  return readFileSync(path.join(folder, 'theirs.bin'));
}

function encodingOf(item: NvsItem): string {
  return item.kind === 'blob' ? `base64,${encodeBase64(item.value)}` : `${item.kind},${item.value}`;
}
