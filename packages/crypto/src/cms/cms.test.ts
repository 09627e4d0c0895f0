import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { encodeUtf8 } from '@holdfast/kernel';
import { decodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { describe, expect, it } from 'vitest';
import { acceptedTruncations, survivingPlaces } from '../primitives/sample-mutants.ts';
import { type CmsTrust, judgeSignedData, prepareSignedData } from './index.ts';

const FOLDER = new URL('../../../wire/vectors/rauc/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const certificate = (name: string) => decodeCertificate(decodePem(vector(name), 'CERTIFICATE'));
const content = encodeUtf8('hello content');
const anchored: CmsTrust = { keys: [], anchors: [certificate('ca.pem')] };
const key = createPrivateKey(readFileSync(new URL('ec.key', FOLDER)));
const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });

describe('a CMS signature', () => {
  it.each<[string, Uint8Array | undefined]>([
    ['cms-ec.der', undefined],
    ['cms-keyid.der', undefined],
    ['cms-rsa-detached.der', content],
  ])('of OpenSSL is accepted under its authority: %s', (name, detached) => {
    expect(judgeSignedData(vector(name), detached, anchored).content).toEqual(content);
  });

  it('is accepted by a signer trusted by name, and by no other', () => {
    expect(judgeSignedData(vector('cms-ec.der'), undefined, { keys: [spki], anchors: [] }).signingTime).toBeGreaterThan(
      0,
    );
    const nobody: CmsTrust = { keys: [certificate('rsa.pem').spki.raw], anchors: [] };
    expect(() => judgeSignedData(vector('cms-ec.der'), undefined, nobody)).toThrowError(coded('boot.unknown_key'));
  });

  const { notAfter } = certificate('ec.pem').validity;
  it.each<[string, string, Uint8Array | undefined, CmsTrust, string]>([
    ['a signer for code alone', 'cms-code.der', undefined, anchored, 'boot.bad_certificate'],
    ['no certificate', 'cms-nocerts.der', undefined, anchored, 'boot.bad_certificate'],
    [
      'a padding that another certificate rule forbids',
      'cms-pss.der',
      undefined,
      { ...anchored, keys: [] },
      'crypto.unsupported_algorithm',
    ],
    ['another content', 'cms-rsa-detached.der', encodeUtf8('hallo content'), anchored, 'boot.hash_mismatch'],
    ['no content', 'cms-rsa-detached.der', undefined, anchored, 'wire.malformed'],
    ['two contents', 'cms-ec.der', content, anchored, 'wire.malformed'],
    [
      'an authority of somebody else',
      'cms-ec.der',
      undefined,
      { keys: [], anchors: [certificate('rsa.pem')] },
      'boot.unknown_key',
    ],
    [
      'a certificate that has ended',
      'cms-ec.der',
      undefined,
      { ...anchored, now: notAfter + 1000 },
      'boot.bad_certificate',
    ],
  ])('is refused with %s', (_name, file, detached, trust, code) => {
    expect(() => judgeSignedData(vector(file), detached, trust)).toThrowError(coded(code));
  });

  const make = (certificates: readonly string[], embed = true) => {
    const files = certificates.map((name) => decodePem(vector(name), 'CERTIFICATE'));
    const prepared = prepareSignedData(
      content,
      embed,
      { certificates: files, signingTime: Date.UTC(2027, 1, 2) },
      spki,
    );
    return prepared.finish(sign('sha256', prepared.message, key));
  };

  it('made here is accepted, with the content in it or beside it', () => {
    expect(judgeSignedData(make(['ec.pem']), undefined, anchored).signingTime).toBe(Date.UTC(2027, 1, 2));
    expect(judgeSignedData(make(['ec.pem'], false), content, anchored).content).toBe(content);
    expect(judgeSignedData(make(['ec.pem', 'ca.pem']), undefined, anchored).certificate.raw).toEqual(
      certificate('ec.pem').raw,
    );
  });

  it('is refused with a certificate that has no part in it', () => {
    expect(() => judgeSignedData(make(['ec.pem', 'rsa.pem']), undefined, anchored)).toThrowError(
      coded('boot.bad_certificate'),
    );
  });

  it.each([
    ['no certificate', [], 'boot.bad_option'],
    ['the certificate of another key', ['rsa.pem'], 'boot.bad_option'],
  ])('is not made with %s', (_name, certificates, code) => {
    expect(() => make(certificates)).toThrowError(coded(code));
  });

  it('is not made by a key that signs no digests', () => {
    const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' });
    const options = { certificates: [decodePem(vector('ec.pem'), 'CERTIFICATE')], signingTime: 0 };
    expect(() => prepareSignedData(content, true, options, other)).toThrowError(coded('boot.bad_option'));
  });

  it.each(['cms-ec.der', 'cms-keyid.der'])('lets no change and no cut through: %s', (name) => {
    const bytes = vector(name);
    const judge = (mutant: Uint8Array) => judgeSignedData(mutant, undefined, anchored);
    expect(survivingPlaces(bytes, judge)).toEqual([]);
    expect(acceptedTruncations(bytes, judge)).toEqual([]);
  });
});
