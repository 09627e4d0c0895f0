import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const VECTORS = path.join(ROOT, 'packages/wire/vectors/mcuboot');
const KEY = path.join(VECTORS, 'keys/root-ec-p256.pem');

function judge(args: readonly string[], input: string) {
  const program = path.join(ROOT, 'interop/src/conformance/image.ts');
  return spawnSync(process.execPath, [program, ...args], { cwd: ROOT, input, encoding: 'utf8' });
}

describe('conformance:image', () => {
  it('prints one verdict a line for every file asked about, in order', () => {
    const files = readdirSync(VECTORS)
      .filter((name) => name.endsWith('.bin'))
      .map((name) => path.join(VECTORS, name));
    const { stdout, status } = judge(['mcuboot', KEY], `${[...files, '/nonexistent'].join('\n')}\n`);
    const lines = stdout.trimEnd().split('\n');
    expect(status).toBe(0);
    expect(lines.map((line) => line.split('\t')[1])).toEqual([...files, '/nonexistent']);
    const accepted = lines.filter((line) => line.startsWith('accept\t')).map((line) => path.basename(line));
    expect(accepted).toEqual([
      'full-root-ec-p256.bin',
      'padded-confirmed-p256.bin',
      'padded-maxalign16.bin',
      'padded-test-p256-align8.bin',
      'plain-root-ec-p256.bin',
    ]);
    expect(lines.at(-1)).toBe('reject\t/nonexistent\trequest.not_found');
  });

  const WIRE = path.join(ROOT, 'packages/wire/vectors');
  it.each([
    [
      'nrf5-dfu',
      'nordic/key.pem',
      ['nordic/app.zip', 'nordic/app-ecdsa.zip'],
      ['nordic/unsigned.zip', 'nordic/debug.zip'],
    ],
    ['nxp-lpc55', 'nxp/root0.pem', ['nxp/single.bin', 'nxp/sb8008.sb2'], ['nxp/chain.bin', 'nxp/sb8.sb2']],
    ['psoc64', 'psoc64/key.pem', ['psoc64/boot.bin', 'psoc64/upgrade.bin'], ['psoc64/app.bin']],
    ['rauc', 'rauc/ca.pem', ['rauc/ec.raucb', 'rauc/rsa.raucb'], ['rauc/sq.img']],
    [
      'swupdate',
      'swupdate/ca.pem',
      ['swupdate/ec.swu', 'swupdate/rsa.swu'],
      ['swupdate/code.swu', 'swupdate/unsigned.swu'],
    ],
  ])('accepts what the vendor of %s signed and refuses the rest', (format, key, good, bad) => {
    const list = [...good, ...bad].map((name) => path.join(WIRE, name));
    const { stdout } = judge([format, path.join(WIRE, key)], `${list.join('\n')}\n`);
    const verdicts = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t')[0]);
    expect(verdicts).toEqual([...good.map(() => 'accept'), ...bad.map(() => 'reject')]);
  });

  it.each(['mcuboot', 'nrf5-dfu', 'rauc', 'swupdate'])(
    'has a verdict on what is empty, huge, no file or not to be read: %s',
    (format) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-conformance-'));
      const [empty, huge] = [path.join(folder, 'empty'), path.join(folder, 'huge')];
      writeFileSync(empty, '');
      writeFileSync(huge, '');
      truncateSync(huge, 5 * 1024 ** 3);
      const files = [empty, huge, folder, '/dev/zero', path.join(folder, 'none')];
      const { stdout, status } = judge([format, KEY], files.join('\n'));
      rmSync(folder, { recursive: true });
      const lines = stdout.trimEnd().split('\n');
      expect(status).toBe(0);
      expect(lines.map((line) => line.split('\t')[1])).toEqual(files);
      expect(lines.every((line) => /^reject\t.+\t[a-z]+\.[a-z_]+$/.test(line))).toBe(true);
    },
  );

  it.each([
    ['an unknown format', ['constructor', KEY], 64],
    ['a missing key', ['mcuboot'], 64],
    ['an unreadable key', ['mcuboot', '/nonexistent'], 66],
    ['a file that holds no key', ['mcuboot', path.join(VECTORS, 'app.bin')], 65],
  ])('refuses %s before it reads a line', (_name, args, exit) => {
    const { stdout, stderr, status } = judge(args, `${KEY}\n`);
    expect([stdout, status]).toEqual(['', exit]);
    expect(stderr).toMatch(/^conformance:image: .+\[[a-z_.]+\] next: .+\n$/);
  });
});
