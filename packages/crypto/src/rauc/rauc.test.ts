import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { concatBytes, encodeUtf8, seededRandom } from '@holdfast/kernel';
import { encodeRaucTail } from '@holdfast/wire/rauc';
import { decodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { describe, expect, it } from 'vitest';
import { readFromBytes, readFromSource } from '../primitives/byte-source.ts';
import { acceptedTruncations, survivingPlaces } from '../primitives/sample-mutants.ts';
import { judgeRaucBundle, prepareRaucBundle, type RaucPolicy, readRaucBundle } from './index.ts';
import { buildVerity, judgeVerity, verityTreeSize } from './verity.ts';

const FOLDER = new URL('../../../wire/vectors/rauc/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const der = (name: string): Uint8Array => decodePem(vector(name), 'CERTIFICATE');
const anchors = [decodeCertificate(der('ca.pem'))];
const judge = (bytes: Uint8Array, policy: RaucPolicy = { anchors }) =>
  readFromBytes(judgeRaucBundle(bytes.length, [], policy), bytes);

const key = createPrivateKey(readFileSync(new URL('ec.key', FOLDER)));
const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
const manifest = encodeUtf8(
  `[update]\ncompatible=holdfast-test\nversion=3\n\n[image.rootfs]\nfilename=rootfs.img\nsize=4\nsha256=${'0'.repeat(64)}\n`,
);
const signing = { certificates: [der('ec.pem')], signingTime: Date.UTC(2027, 0) };
const make = (payload: Uint8Array, change = {}): Uint8Array => {
  const prepared = prepareRaucBundle(payload, { ...signing, ...change }, spki);
  return prepared.finish(sign('sha256', prepared.message, key));
};

describe('a verity bundle', () => {
  it.each(['ec', 'rsa'])('of RAUC is accepted: %s', (name) => {
    expect(judge(vector(`${name}.raucb`))).toMatchObject({
      imageSize: 20480,
      manifest: { compatible: 'holdfast-test' },
    });
  });

  it('signed anew by us has RAUC’s image, manifest and a tree of our salt', () => {
    const ours = judge(make(vector('rsa.raucb')));
    const theirs = judge(vector('rsa.raucb'));
    expect(ours.manifest.images).toEqual(theirs.manifest.images);
    expect(ours.manifest.verity.salt).not.toEqual(theirs.manifest.verity.salt);
  });

  it('made of an image and a manifest is accepted, from memory and from a source alike', async () => {
    const bytes = make(vector('sq.img'), { manifest });
    const source = {
      size: bytes.length,
      read: ({ offset, length }: { offset: number; length: number }) =>
        Promise.resolve(bytes.slice(offset, offset + length)),
    };
    const streamed = await readFromSource(judgeRaucBundle(bytes.length, [spki]), source);
    expect(streamed.manifest).toEqual(judge(bytes).manifest);
    const short = { ...source, size: bytes.length, read: () => Promise.resolve(new Uint8Array(3)) };
    await expect(readFromSource(judgeRaucBundle(bytes.length, [spki]), short)).rejects.toThrowError(
      coded('wire.truncated'),
    );
  });

  it.each<[string, RaucPolicy, string]>([
    ['another device', { anchors, compatible: 'other' }, 'boot.wrong_device'],
    ['a floor it cannot prove to reach', { anchors, minCounter: 0 }, 'boot.counter_missing'],
    ['nobody trusted', {}, 'boot.unknown_key'],
  ])('is refused for %s', (_name, policy, code) => {
    expect(() => judge(vector('ec.raucb'), policy)).toThrowError(coded(code));
  });

  const whole = vector('ec.raucb');
  const signature = whole.subarray(24576);
  it.each<[string, Uint8Array, string]>([
    ['a block inserted', concatBytes(new Uint8Array(4096), whole), 'boot.bad_magic'],
    ['a block of data dropped', whole.subarray(4096), 'boot.bad_magic'],
    [
      'data of one more block',
      concatBytes(whole.subarray(0, 20480), new Uint8Array(4096), whole.subarray(20480)),
      'boot.trailing_bytes',
    ],
    ['another tree', concatBytes(whole.subarray(0, 20480), new Uint8Array(4096), signature), 'boot.hash_mismatch'],
    ['no content', concatBytes(signature), 'wire.truncated'],
    [
      'a detached signature',
      concatBytes(
        whole.subarray(0, 24576),
        vector('cms-rsa-detached.der'),
        encodeRaucTail(vector('cms-rsa-detached.der').length),
      ),
      'wire.malformed',
    ],
    [
      'a signed text that is no manifest',
      concatBytes(whole.subarray(0, 24576), vector('cms-ec.der'), encodeRaucTail(vector('cms-ec.der').length)),
      'wire.malformed',
    ],
  ])('is refused with %s', (_name, bytes, code) => {
    expect(() => judge(bytes)).toThrowError(coded(code));
  });

  it('lets no change and no cut through', () => {
    expect(survivingPlaces(whole, judge, { count: 2500 })).toEqual([]);
    expect(acceptedTruncations(whole, judge)).toEqual([]);
  });

  it('says what it is before it is judged, and a plain one that it is another format', () => {
    const read = (bytes: Uint8Array) => readFromBytes(readRaucBundle(bytes.length), bytes);
    expect(read(whole)).toMatchObject({ contentSize: 24576, manifest: { version: '2024.1-2' } });
    const detached = vector('cms-rsa-detached.der');
    const plain = concatBytes(whole.subarray(0, 20480), detached, encodeRaucTail(detached.length));
    expect(() => read(plain)).toThrowError(coded('wire.unsupported'));
    expect(acceptedTruncations(whole, read)).toEqual([]);
  });

  it.each<[string, Uint8Array, object, string]>([
    ['no squashfs', new Uint8Array(4096), { manifest }, 'boot.bad_magic'],
    [
      'an image with something behind it',
      concatBytes(vector('sq.img'), new Uint8Array(4096)),
      { manifest },
      'boot.bad_option',
    ],
    ['a short salt', vector('sq.img'), { manifest, salt: new Uint8Array(31) }, 'boot.bad_option'],
    ['no manifest', vector('sq.img'), {}, 'boot.signature_missing'],
  ])('is not made of %s', (_name, payload, change, code) => {
    expect(() => make(payload, change)).toThrowError(coded(code));
  });
});

describe('a hash tree', () => {
  const salt = new Uint8Array(32).fill(9);

  it.each([1, 2, 127, 128, 129, 128 * 128 + 1])('over %i blocks is checked as it was built', (blocks) => {
    const data = seededRandom(blocks).bytes(64);
    const whole = new Uint8Array(blocks * 4096);
    for (let at = 0; at < blocks; at++) whole.set(data, at * 4096 + (at % 4000));
    const { tree, rootHash } = buildVerity(whole, salt);
    expect(tree).toHaveLength(verityTreeSize(whole.length));
    const file = concatBytes(whole, tree);
    const check = (bytes: Uint8Array) =>
      readFromBytes(judgeVerity(whole.length, { rootHash, salt, treeSize: tree.length }), bytes);
    check(file);
    const places = blocks > 1000 ? [whole.length] : [0, whole.length - 1, whole.length, file.length - 1];
    for (const at of places) {
      file[at] = (file[at] ?? 0) ^ 1;
      expect(() => check(file)).toThrowError(coded('boot.hash_mismatch'));
      file[at] = (file[at] ?? 0) ^ 1;
    }
  });

  it('with something behind its last hash is refused, although its root says so', () => {
    const { tree } = buildVerity(new Uint8Array(4096), salt);
    const stuffed = Uint8Array.from(tree).fill(7, 32, 64);
    const rootHash = buildVerity(stuffed, salt).tree.subarray(0, 32);
    const check = () =>
      readFromBytes(judgeVerity(4096, { rootHash, salt, treeSize: 4096 }), concatBytes(new Uint8Array(4096), stuffed));
    expect(check).toThrowError(coded('boot.bad_header'));
  });
});
