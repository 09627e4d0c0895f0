import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions, decodeMcubootHeader, encodeMcubootHeader, formatVersion, parseVersion } from './index.ts';

const vector = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../vectors/mcuboot/${name}`, import.meta.url)));
const coded = (code: string) => expect.objectContaining({ code });
const version = fc.record({
  major: fc.nat(0xff),
  minor: fc.nat(0xff),
  revision: fc.nat(0xffff),
  build: fc.nat(0xffffffff),
});

describe('the header', () => {
  const whole = vector('plain-root-ed25519.bin').subarray(0, 32);

  it('encodes to the bytes it was decoded from', () => {
    expect(encodeMcubootHeader(decodeMcubootHeader(whole))).toEqual(whole);
  });

  it('rejects every prefix that is too short', () => {
    for (let length = 0; length < 32; length++) {
      expect(() => decodeMcubootHeader(whole.subarray(0, length))).toThrowError(coded('wire.truncated'));
    }
  });

  it.each([
    ['the retired version 1', 0, 0x3c, 'boot.bad_magic'],
    ['a load address without the flag that uses it', 4, 1, 'boot.bad_header'],
    ['a header shorter than itself', 9, 0, 'boot.bad_header'],
    ['a header size that keeps no vector table aligned', 8, 4, 'boot.bad_header'],
    ['position independent code', 16, 0x01, 'boot.unsupported_flag'],
    ['both AES sizes', 16, 0x0c, 'boot.unsupported_flag'],
    ['an unknown flag', 16, 0x40, 'boot.unsupported_flag'],
    ['a filled pad word', 28, 1, 'boot.bad_header'],
  ] as const)('refuses %s', (_name, offset, value, code) => {
    const bytes = Uint8Array.from(whole);
    bytes[offset] = value;
    expect(() => decodeMcubootHeader(bytes)).toThrowError(coded(code));
  });

  it('refuses an image both loaded to RAM and fixed in flash, an empty one, and a big-endian one', () => {
    const header = decodeMcubootHeader(whole);
    const both = encodeMcubootHeader({ ...header, flags: 0x120 });
    const empty = encodeMcubootHeader({ ...header, imageSize: 0 });
    expect(() => decodeMcubootHeader(both)).toThrowError(coded('boot.unsupported_flag'));
    expect(() => decodeMcubootHeader(empty)).toThrowError(coded('boot.bad_header'));
    const bigEndian = Uint8Array.from(whole);
    bigEndian.set([0x96, 0xf3, 0xb8, 0x3d]);
    expect(() => decodeMcubootHeader(bigEndian)).toThrowError(coded('wire.unsupported'));
  });
});

describe('versions', () => {
  it('read back as they are written', () => {
    fc.assert(
      fc.property(version, (value) => {
        expect(parseVersion(formatVersion(value))).toEqual(value);
      }),
    );
  });

  it.each(['', '1.', '01', '1.2.3.4', '1+2', '256', '1.256', '1.2.65536', '1.2.3+4294967296', '-1', '1.2.3 ', 'v1'])(
    'refuse %j',
    (text) => {
      expect(() => parseVersion(text)).toThrowError(coded('boot.bad_version'));
    },
  );

  it('order by major, minor, revision, then build', () => {
    const ordered = ['0.9.9', '1', '1.0.0+1', '1.0.1', '1.1', '2.0'].map(parseVersion);
    for (const [index, older] of ordered.entries()) {
      for (const newer of ordered.slice(index + 1)) {
        expect(compareVersions(older, newer)).toBeLessThan(0);
        expect(compareVersions(newer, older)).toBeGreaterThan(0);
      }
      expect(compareVersions(older, older)).toBe(0);
    }
  });
});
