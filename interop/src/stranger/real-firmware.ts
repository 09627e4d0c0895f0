// Programs that compilers and vendors' tools make for real chips, signed by us and verified by the vendors' tools.
//
//   node scripts/launch.js interop/src/stranger/real-firmware.ts [CASES]
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, PrivateKey } from '@holdfast/crypto';
import { equalBytes } from '@holdfast/kernel';
import { ImageSigner, ImageVerifier } from '@holdfast/trust/boot';
import { decodeElfImage } from '@holdfast/wire/elf';
import type { Stranger } from '../stranger.ts';
import { runCommand, versionOf } from './command.ts';
import { type DriverAnswer, type InteropReport, PythonDriver, type PythonTool, runAlone } from './python-driver.ts';

const ESPTOOL: PythonTool = ['esptool:main', 'esptool'];
const ESPSECURE: PythonTool = ['espsecure:main', 'esptool'];
const IMGTOOL: PythonTool = ['imgtool.main:imgtool', 'imgtool'];
const ARM = 'arm-none-eabi';
const RISCV = 'riscv64-unknown-elf';
const SOURCES = fileURLToPath(new URL('../../c/firmware/', import.meta.url));
const FREESTANDING = ['-O1', '-nostdlib', '-ffreestanding', '-Wl,--build-id=none'];
const TARGETS = {
  'cortex-m4': { compiler: `${ARM}-gcc`, flags: ['-mcpu=cortex-m4', '-mthumb'] },
  esp32c3: { compiler: `${RISCV}-gcc`, flags: ['-march=rv32imc', '-mabi=ilp32'] },
} as const;

interface Bench {
  readonly folder: string;
  readonly report: InteropReport;
}

/** @returns false when a compiler or a tool is not installed; nothing was compared then. */
export async function runRealFirmware(report: InteropReport, cases = 4): Promise<boolean> {
  if (compilers() === undefined) return false;
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-firmware-'));
  try {
    for (let rounds = 1; rounds <= cases; rounds++) {
      await signCortex(rounds, { folder, report });
      await signEsp32c3(rounds, { folder, report });
    }
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function compilers(): string | undefined {
  const [arm, riscv] = [ARM, RISCV].map((name) => versionOf(`${name}-gcc`, ['--version']));
  return arm === undefined || riscv === undefined ? undefined : `${arm}, ${riscv}`;
}

/** Compiles a program that gets larger with its rounds. @throws with the compiler's words */
function compile(target: keyof typeof TARGETS, rounds: number, folder: string): string {
  const { compiler, flags } = TARGETS[target];
  const elf = path.join(folder, `${target}.elf`);
  const script = `-Wl,-T,${path.join(SOURCES, `${target}.ld`)}`;
  const source = path.join(SOURCES, `${target}.c`);
  const { ok, output } = runCommand(
    compiler,
    [...flags, ...FREESTANDING, `-DROUNDS=${rounds}`, script, '-o', elf, source],
    folder,
  );
  if (!ok) throw new Error(output);
  return elf;
}

/** What objcopy makes of the program is what we sign; imgtool verifies it. */
async function signCortex(rounds: number, { folder, report }: Bench): Promise<void> {
  const elf = compile('cortex-m4', rounds, folder);
  const flat = path.join(folder, 'flat.bin');
  runCommand(`${ARM}-objcopy`, ['-O', 'binary', '--gap-fill', '0xff', elf, flat], folder);
  const { bytes: payload } = decodeElfImage(readFileSync(elf));
  const name = `Cortex-M4, ${payload.length} bytes`;
  report({ name: `objcopy makes the same image: ${name}`, ok: equalBytes(payload, readFileSync(flat)) });

  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const keyFile = writeKey(folder, privateKey);
  const version = { major: 1, minor: rounds, revision: 0, build: 0 };
  const { bytes } = await new ImageSigner({ signer: createSigner(new PrivateKey(privateKey)) }).sign(
    'mcuboot',
    payload,
    { version, headerSize: 0x200, padHeader: true, securityCounter: rounds },
  );
  const signed = path.join(folder, 'signed.bin');
  writeFileSync(signed, bytes);
  const answer = await runTool(IMGTOOL, ['verify', '-k', keyFile, signed]);
  report({ name: `imgtool accepts it signed: ${name}`, ok: answer.ok, detail: answer.error ?? '' });
}

/** elf2image makes the image, we sign it, espsecure verifies it; our rules read chip and secure version from it. */
async function signEsp32c3(rounds: number, { folder, report }: Bench): Promise<void> {
  const elf = compile('esp32c3', rounds, folder);
  const [plain, signed] = ['app.bin', 'app-signed.bin'].map((file) => path.join(folder, file)) as [string, string];
  const made = await runTool(ESPTOOL, ['--chip', 'esp32c3', 'elf2image', '--secure-pad-v2', '-o', plain, elf]);
  if (!made.ok) return report({ name: 'elf2image makes an image', ok: false, detail: made.error ?? '' });
  const payload = Uint8Array.from(readFileSync(plain));
  const name = `ESP32-C3, secure version ${rounds}, ${payload.length} bytes`;

  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const signer = createSigner(new PrivateKey(privateKey), 'rsa-pss-sha256');
  const { bytes, proof } = await new ImageSigner({ signer }).sign('esp32-v2', payload, {});
  report({ name: `its version and counter are read: ${name}`, ok: proof.securityCounter === rounds });
  writeFileSync(signed, bytes);
  const verify = ['verify-signature', '-v', '2', '-k', writeKey(folder, privateKey), signed];
  const answer = await runTool(ESPSECURE, verify);
  report({ name: `espsecure accepts it signed: ${name}`, ok: answer.ok, detail: answer.error ?? '' });

  const verifier = new ImageVerifier('esp32-v2', [spki]);
  report({
    name: `it is refused below the floor: ${name}`,
    ok: verifier.verify(bytes, { minCounter: rounds + 1 }).kind === 'refused',
  });
  bytes[0x200] = (bytes[0x200] ?? 0) ^ 1;
  writeFileSync(signed, bytes);
  const altered = await runTool(ESPSECURE, verify);
  const weRefuse = verifier.verify(bytes).kind === 'refused';
  report({ name: `both refuse one changed bit: ${name}`, ok: weRefuse && !altered.ok });
}

async function runTool(tool: PythonTool, line: readonly string[]): Promise<DriverAnswer> {
  const driver = new PythonDriver(tool);
  try {
    return await driver.run(line);
  } finally {
    driver.close();
  }
}

function writeKey(folder: string, key: KeyObject): string {
  const file = path.join(folder, 'key.pem');
  writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return file;
}

export const realFirmware: Stranger = {
  name: 'cross compilers',
  source: 'Debian',
  deed: 'make programs for a Cortex-M4 and, with elf2image, for an ESP32-C3, which we sign and imgtool and espsecure verify',
  install: 'apt-get install gcc-arm-none-eabi gcc-riscv64-unknown-elf; pip install esptool imgtool',
  version: () => Promise.resolve(compilers()),
  async meet(_world, report) {
    if (!(await runRealFirmware(report))) throw new Error('a compiler is gone');
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await runAlone('cross compilers', runRealFirmware);
