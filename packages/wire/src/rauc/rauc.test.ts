import { readFileSync } from 'node:fs';
import { concatBytes, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSignedData } from '../cms/index.ts';
import { decodeRaucManifest, encodeRaucTail, readRaucLayout, readSquashfsSize, sealRaucManifest } from './index.ts';

const FOLDER = new URL('../../vectors/rauc/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const total = (decode: (bytes: Uint8Array) => unknown) => (bytes: Uint8Array) => {
  try {
    decode(bytes);
  } catch (error) {
    expect(HoldfastError.is(error)).toBe(true);
  }
};

const bundle = vector('ec.raucb');

describe('the layout of a bundle', () => {
  it('is read from its end', () => {
    const { contentSize, signatureSize } = readRaucLayout(bundle.subarray(-8), bundle.length);
    expect(contentSize).toBe(24576);
    expect(encodeRaucTail(signatureSize)).toEqual(bundle.subarray(-8));
    expect(readSquashfsSize(bundle)).toBe(20480);
  });

  it.each<[string, Uint8Array, number, string]>([
    ['no signature', encodeRaucTail(0), 5000, 'boot.signature_missing'],
    ['a signature beyond the limit', encodeRaucTail(65_537), 500_000, 'wire.too_large'],
    ['a signature longer than the file', encodeRaucTail(6000), 5000, 'wire.truncated'],
    ['a length that wraps', new Uint8Array(8).fill(0xff), 5000, 'wire.too_large'],
    ['content that is no whole blocks', encodeRaucTail(100), 5000, 'boot.bad_header'],
  ])('is refused with %s', (_name, tail, size, code) => {
    expect(() => readRaucLayout(tail, size)).toThrowError(coded(code));
  });

  it('is refused cut, with another image, and with one that says it is empty', () => {
    for (let length = 0; length < 48; length++)
      expect(() => readSquashfsSize(bundle.subarray(0, length))).toThrowError(coded('wire.truncated'));
    expect(() => readSquashfsSize(new Uint8Array(48))).toThrowError(coded('boot.bad_magic'));
    expect(() => readSquashfsSize(Uint8Array.from(bundle).fill(0, 40, 48))).toThrowError(coded('boot.bad_header'));
    expect(() => readSquashfsSize(Uint8Array.from(bundle).fill(0xff, 40, 48))).toThrowError(coded('boot.bad_header'));
  });
});

describe('a manifest', () => {
  const content = decodeSignedData(bundle.subarray(24576, -8)).content ?? new Uint8Array(0);

  it('reads what RAUC writes', () => {
    expect(decodeRaucManifest(content)).toMatchObject({
      compatible: 'holdfast-test',
      version: '2024.1-2',
      verity: { treeSize: 4096 },
      images: [{ slot: 'rootfs', filename: 'rootfs.img', size: 20000 }],
    });
  });

  it('takes its bundle group from us and keeps the author’s rest', () => {
    const verity = { rootHash: new Uint8Array(32).fill(1), salt: new Uint8Array(32).fill(2), treeSize: 8192 };
    const sealed = decodeRaucManifest(sealRaucManifest(content, verity));
    expect(sealed).toEqual({ ...decodeRaucManifest(content), verity });
  });

  const text = new TextDecoder().decode(content);
  it.each<[string, string, string]>([
    ['a plain bundle', text.replace('format=verity', 'format=plain'), 'wire.unsupported'],
    ['no format', text.replace('format=verity', ''), 'wire.unsupported'],
    ['an encrypted bundle', text.replace('format=verity', 'format=crypt'), 'wire.unsupported'],
    ['a group twice', `${text}[update]\n`, 'wire.duplicate'],
    ['a key twice', text.replace('version=', 'compatible='), 'wire.duplicate'],
    ['a line that is neither', `${text}\nhello`, 'wire.malformed'],
    ['an entry before any group', `a=b\n${text}`, 'wire.malformed'],
    ['a short hash', text.replace(/verity-hash=../, 'verity-hash='), 'wire.malformed'],
    ['an upper-case hash', text.replace(/verity-hash=.*/, `verity-hash=${'A'.repeat(64)}`), 'wire.malformed'],
    ['a tree of no whole blocks', text.replace('verity-size=4096', 'verity-size=4095'), 'wire.malformed'],
    ['no tree', text.replace('verity-size=4096', 'verity-size=0'), 'wire.malformed'],
    ['nobody it is for', text.replace('compatible=holdfast-test', ''), 'wire.malformed'],
    ['an image without a name', text.replace('filename=rootfs.img', ''), 'wire.malformed'],
    ['an endless text', '#'.repeat(65_537), 'wire.too_large'],
  ])('is refused with %s', (_name, changed, code) => {
    expect(() => decodeRaucManifest(encodeUtf8(changed))).toThrowError(coded(code));
  });

  it('is a manifest or a coded error, cut anywhere and whatever the bytes', () => {
    for (let length = 0; length < content.length; length++) total(decodeRaucManifest)(content.subarray(0, length));
    fc.assert(fc.property(fc.uint8Array(), total(decodeRaucManifest)));
    fc.assert(fc.property(fc.string(), (tail) => total(decodeRaucManifest)(concatBytes(content, encodeUtf8(tail)))));
  });

  it('is not made without what a device needs', () => {
    const verity = { rootHash: new Uint8Array(32), salt: new Uint8Array(32), treeSize: 4096 };
    expect(() => sealRaucManifest(encodeUtf8('[update]\nversion=1\n'), verity)).toThrowError(coded('boot.bad_option'));
    const unsized = new TextDecoder().decode(vector('manifest.raucm')).replace(/^size=.*$/m, '');
    expect(() => sealRaucManifest(encodeUtf8(unsized), verity)).toThrowError(coded('boot.bad_option'));
  });
});
