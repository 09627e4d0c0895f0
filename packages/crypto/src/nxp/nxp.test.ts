import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { encodeHex } from '@holdfast/kernel';
import { decodeNxpImage } from '@holdfast/wire/nxp';
import { decodeCertificate, decodeSpki } from '@holdfast/wire/x509';
import { describe, expect, it } from 'vitest';
import { acceptedTruncations, survivingPlaces } from '../primitives/sample-mutants.ts';
import { judgeNxpChain } from './certificate-chain.ts';
import {
  judgeNxpImage,
  judgeNxpSecureBinary,
  nxpPublicKey,
  nxpRootKeyTableHash,
  type NxpSignOptions,
  prepareNxpImage,
} from './index.ts';

const FOLDER = new URL('../../../wire/vectors/nxp/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const keyOf = (certificate: string): Uint8Array => decodeCertificate(vector(certificate)).spki.raw;
const privateKey = (name: string): KeyObject => createPrivateKey(readFileSync(new URL(`${name}.pem`, FOLDER)));
const ROOTS = [0, 1, 2, 3].map((index) => keyOf(`root${index}.der`));
const roots = ROOTS.map(nxpPublicKey);
/** What nxpimage printed. */
const RKTH = '587cfcfb4d63061f513d36a7da340156705029ae8785144c3d25983575755f74';

describe('a signed image', () => {
  const options: NxpSignOptions = { certificates: [vector('root0.der')], rootKeys: ROOTS, buildNumber: 7 };
  const make = (change: Partial<NxpSignOptions> = {}, key = 'root0'): Uint8Array => {
    const signer = privateKey(key);
    const spki = createPublicKey(signer).export({ type: 'spki', format: 'der' });
    const prepared = prepareNxpImage(vector('app.bin'), { ...options, ...change }, nxpPublicKey(spki));
    return prepared.finish(sign('sha256', prepared.message, signer));
  };

  it.each([
    ['single', 0],
    ['one', 0],
    ['chain', 1],
  ])('of nxpimage is accepted: %s', (name, root) => {
    expect(judgeNxpImage(vector(`${name}.bin`), roots).root).toBe(roots[root]);
  });

  it('is the one nxpimage makes, byte for byte', () => {
    expect(make()).toEqual(vector('single.bin'));
    const chain = { certificates: [vector('rootca1.der'), vector('leaf.der')], trustZone: 'enabled' } as const;
    expect(make(chain, 'leaf')).toEqual(vector('chain.bin'));
  });

  it('names the table of root keys as the fuses do', () => {
    expect(encodeHex(nxpRootKeyTableHash(roots.map(({ hash }) => hash)))).toBe(RKTH);
    expect(encodeHex(judgeNxpImage(vector('single.bin'), roots).rootKeyTableHash)).toBe(RKTH);
  });

  it('is refused by another root, another table and any demand for a counter', () => {
    const single = vector('single.bin');
    expect(() => judgeNxpImage(single, roots.slice(1))).toThrowError(coded('boot.unknown_key'));
    expect(() => judgeNxpImage(single, roots, { rootKeyTableHash: new Uint8Array(32) })).toThrowError(
      coded('boot.unknown_key'),
    );
    expect(() => judgeNxpImage(single, roots, { minCounter: 0 })).toThrowError(coded('boot.counter_missing'));
  });

  it('is refused when the root is not in its table, although it is trusted', () => {
    const spki = createPublicKey(privateKey('root0')).export({ type: 'spki', format: 'der' });
    const attempt = () =>
      prepareNxpImage(vector('app.bin'), { ...options, rootKeys: ROOTS.slice(1) }, nxpPublicKey(spki));
    expect(attempt).toThrowError(coded('boot.unknown_key'));
  });

  it.each<[string, Partial<NxpSignOptions>, string, string]>([
    ['an authority as signer', { certificates: [vector('rootca0.der')] }, 'root0', 'boot.bad_certificate'],
    [
      'a root that is no authority',
      { certificates: [vector('root1.der'), vector('leaf.der')] },
      'leaf',
      'boot.bad_certificate',
    ],
    [
      'a root that did not sign the leaf',
      { certificates: [vector('rootca2.der'), vector('leaf.der')] },
      'leaf',
      'boot.bad_certificate',
    ],
    ['a leaf alone', { certificates: [vector('leaf.der')] }, 'leaf', 'boot.unknown_key'],
    ['the certificate of another key', { certificates: [vector('root1.der')] }, 'root0', 'boot.bad_option'],
    ['no certificate', { certificates: [] }, 'root0', 'boot.bad_option'],
    ['one root key twice', { rootKeys: [...ROOTS.slice(0, 2), ...ROOTS.slice(0, 1)] }, 'root0', 'boot.bad_option'],
  ])('is not made with %s', (_name, change, key, code) => {
    expect(() => make(change, key)).toThrowError(coded(code));
  });

  it('lets no change and no cut through', () => {
    const chain = vector('chain.bin');
    expect(survivingPlaces(chain, (mutant) => judgeNxpImage(mutant, roots), { count: 2500 })).toEqual([]);
    expect(acceptedTruncations(chain, (cut) => judgeNxpImage(cut, roots))).toEqual([]);
  });

  it('is not made by a key of another size than the root, whose size the lengths count', () => {
    const wide = generateKeyPairSync('rsa', { modulusLength: 4096 }).publicKey.export({ type: 'spki', format: 'der' });
    const key = nxpPublicKey(wide);
    const template = decodeNxpImage(vector('chain.bin')).block;
    const [root, leaf] = template.certificates;
    if (root === undefined || leaf === undefined) throw new Error('the vector has two certificates');
    const mixed = { ...template, certificates: [root, { ...leaf, spki: decodeSpki(key.key.spki) }] };
    expect(() => judgeNxpChain(mixed, { roots })).toThrowError(coded('boot.bad_certificate'));
  });

  it('takes no signature of another length, and no other kind of key', () => {
    const spki = createPublicKey(privateKey('root0')).export({ type: 'spki', format: 'der' });
    const prepared = prepareNxpImage(vector('app.bin'), options, nxpPublicKey(spki));
    expect(() => prepared.finish(new Uint8Array(255))).toThrowError(coded('boot.signature_encoding'));
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    expect(() => nxpPublicKey(publicKey.export({ type: 'spki', format: 'der' }))).toThrowError(
      coded('boot.unsupported_key'),
    );
  });
});

describe('a secure binary', () => {
  it('of nxpimage is accepted when its signature covers the sections', () => {
    expect(judgeNxpSecureBinary(vector('sb8008.sb2'), roots)).toMatchObject({ productVersion: '1.2.3' });
    expect(() => judgeNxpSecureBinary(vector('sb8.sb2'), roots)).toThrowError(coded('boot.hash_missing'));
  });

  it('lets no change and no cut through', () => {
    const file = vector('sb8008.sb2');
    expect(survivingPlaces(file, (mutant) => judgeNxpSecureBinary(mutant, roots), { count: 2500 })).toEqual([]);
    expect(acceptedTruncations(file, (cut) => judgeNxpSecureBinary(cut, roots))).toEqual([]);
  });
});
