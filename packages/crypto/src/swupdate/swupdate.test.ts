import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { concatBytes, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { decodePem } from '@holdfast/wire/pem';
import { encodeCpioEntry } from '@holdfast/wire/swupdate';
import { decodeCertificate } from '@holdfast/wire/x509';
import { describe, expect, it } from 'vitest';
import { readFromBytes } from '../primitives/byte-source.ts';
import { acceptedTruncations, survivingPlaces } from '../primitives/sample-mutants.ts';
import { judgeSwu, prepareSwu, readSwu, type SwuPolicy, type SwuSignOptions } from './index.ts';

const FOLDER = new URL('../../../wire/vectors/swupdate/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const der = (name: string): Uint8Array => decodePem(vector(name), 'CERTIFICATE');
const anchors = [decodeCertificate(der('ca.pem'))];
const judge = (bytes: Uint8Array, policy: SwuPolicy = { anchors }, keys: readonly Uint8Array[] = []) =>
  readFromBytes(judgeSwu(bytes.length, keys, policy), bytes);
const keyOf = (name: string) => createPrivateKey(readFileSync(new URL(`${name}.key`, FOLDER)));
const spkiOf = (name: string) => createPublicKey(keyOf(name)).export({ type: 'spki', format: 'der' });

const cms: SwuSignOptions = { form: 'cms', certificates: [der('ec.pem')], signingTime: Date.UTC(2027, 0) };
const make = (payload: Uint8Array, options: SwuSignOptions = cms, name = 'ec'): Uint8Array => {
  const prepared = prepareSwu(payload, options, spkiOf(name));
  const padding = prepared.algorithm.startsWith('rsa-pss') ? { padding: 6, saltLength: 32 } : {};
  return prepared.finish(sign('sha256', prepared.message, { key: keyOf(name), ...padding }));
};

/** An archive of these files. */
function archive(files: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const entries = [...files, ['TRAILER!!!', new Uint8Array(0)] as const].map(([name, data]) =>
    encodeCpioEntry('crc', name, data),
  );
  const whole = concatBytes(...entries);
  return concatBytes(whole, new Uint8Array(-whole.length & 511));
}

/** The files of an archive. */
function filesOf(bytes: Uint8Array): [string, Uint8Array][] {
  const { entries } = readFromBytes(readSwu(bytes.length), bytes);
  return entries.map(({ name, data, size }) => [name, bytes.subarray(data, data + size)]);
}

describe('a package', () => {
  it.each(['ec', 'rsa'])('that SWUpdate accepts is accepted: %s', (name) => {
    expect(judge(vector(`${name}.swu`)).description.version).toBe('2024.1.0');
  });

  it('by a signer for code alone is refused, as SWUpdate does', () => {
    expect(() => judge(vector('code.swu'))).toThrowError(coded('boot.bad_certificate'));
  });

  it.each(['raw-pkcs1', 'raw-pss'])('with a bare RSA signature is accepted by its key alone: %s', (name) => {
    expect(judge(vector(`${name}.swu`), {}, [spkiOf('rsa')]).description.version).toBe('2024.1.0');
    expect(() => judge(vector(`${name}.swu`), {}, [spkiOf('ec')])).toThrowError(HoldfastError);
  });

  it.each<[string, SwuSignOptions, string]>([
    ['CMS', cms, 'ec'],
    ['PKCS #1', { form: 'rsa-pkcs1' }, 'rsa'],
    ['PSS', { form: 'rsa-pss' }, 'rsa'],
  ])('signed here is accepted: %s', (_name, options, name) => {
    expect(judge(make(vector('unsigned.swu'), options, name), {}, [spkiOf(name)]).description.files).toHaveLength(2);
  });

  it('signed anew keeps its files and has one signature', () => {
    const ours = make(vector('rsa.swu'));
    expect(judge(ours).spki).toEqual(new Uint8Array(spkiOf('ec')));
    expect(filesOf(ours).map(([name]) => name)).toEqual([
      'sw-description',
      'sw-description.sig',
      'rootfs.img',
      'kernel.img',
    ]);
  });

  it.each<[string, SwuPolicy, string]>([
    ['other hardware', { anchors, hardware: '2.0' }, 'boot.wrong_device'],
    ['a floor it cannot prove to reach', { anchors, minCounter: 0 }, 'boot.counter_missing'],
    ['nobody trusted', {}, 'boot.unknown_key'],
  ])('is refused for %s', (_name, policy, code) => {
    expect(() => judge(vector('ec.swu'), policy)).toThrowError(coded(code));
  });

  const [description, signature, rootfs, kernel] = filesOf(vector('ec.swu'));
  if (description === undefined || signature === undefined || rootfs === undefined || kernel === undefined)
    throw new Error('vector');
  const edited: [string, Uint8Array] = [
    description[0],
    encodeUtf8(new TextDecoder().decode(description[1]).replace('2024.1.0', '2024.1.1')),
  ];
  it.each<[string, readonly (readonly [string, Uint8Array])[], string]>([
    ['an edited description', [edited, signature, rootfs, kernel], 'boot.hash_mismatch'],
    ['no signature', [description, rootfs, kernel], 'boot.signature_missing'],
    ['its signature at the end', [description, rootfs, kernel, signature], 'boot.signature_missing'],
    ['a file before the description', [rootfs, description, signature, kernel], 'boot.bad_magic'],
    ['a file exchanged', [description, signature, ['rootfs.img', kernel[1]], kernel], 'boot.hash_mismatch'],
    ['a file too few', [description, signature, rootfs], 'boot.bad_header'],
    ['a file too many', [description, signature, rootfs, kernel, ['extra', rootfs[1]]], 'boot.bad_header'],
    ['a file of another name', [description, signature, rootfs, ['kernel', kernel[1]]], 'boot.bad_header'],
    ['a file twice', [description, signature, rootfs, rootfs, kernel], 'wire.duplicate'],
    ['nothing', [], 'boot.bad_magic'],
  ])('is refused with %s', (_name, files, code) => {
    expect(() => judge(archive(files))).toThrowError(coded(code));
  });

  it('is refused with anything but zeros behind its end, and with a wrong sum', () => {
    const whole = vector('ec.swu');
    expect(() => judge(concatBytes(whole, new Uint8Array(512)))).toThrowError(coded('boot.trailing_bytes'));
    expect(() => judge(Uint8Array.from(whole).fill(1, whole.length - 1))).toThrowError(coded('boot.trailing_bytes'));
    // The sum of the description, which no signature covers, must still be right.
    expect(() => judge(Uint8Array.from(whole).fill(0x31, 109, 110))).toThrowError(coded('boot.checksum_mismatch'));
  });

  it('lets no change through but in what a header says of owner, time and disk', () => {
    const whole = vector('ec.swu');
    const lower = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes).toLowerCase();
    const original = lower(whole);
    const strict = (mutant: Uint8Array): void => {
      judge(mutant);
      // A hexadecimal digit in the other case says the same.
      if (lower(mutant) === original) throw new HoldfastError('boot.bad_header');
    };
    const starts = readFromBytes(readSwu(whole.length), whole).entries.map(({ start }) => start);
    const end = new TextDecoder('latin1').decode(whole).lastIndexOf('070702');
    const free = survivingPlaces(whole, strict, { count: 3000 }).filter((place) => {
      const within = place - Math.max(...[...starts, end].filter((start) => start <= place));
      // ino, mode, nlink, uid, gid, mtime; then the four device numbers.
      return !((within >= 6 && within < 54) || (within >= 62 && within < 94));
    });
    expect(free).toEqual([]);
    // An archive may end at its last name, without filling.
    const unfilled = whole.subarray(0, Math.ceil((end + 121) / 4) * 4);
    expect(judge(unfilled).description.version).toBe('2024.1.0');
    const cut = acceptedTruncations(whole, judge, 2000);
    expect(cut.filter((length) => length !== unfilled.length)).toEqual([]);
  });

  it.each<[string, Uint8Array, SwuSignOptions, string, string]>([
    ['no archive', encodeUtf8('x'.repeat(200)), cms, 'ec', 'boot.bad_magic'],
    ['a bare signature by P-256', vector('unsigned.swu'), { form: 'rsa-pss' }, 'ec', 'boot.unsupported_key'],
    ['the certificate of another key', vector('unsigned.swu'), cms, 'rsa', 'boot.bad_option'],
  ])('is not made of %s', (_name, payload, options, name, code) => {
    expect(() => make(payload, options, name)).toThrowError(coded(code));
  });
});
