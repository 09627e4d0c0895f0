import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SuitManifest } from '@holdfast/wire/suit';
import { describe, expect, it } from 'vitest';
import { acceptedTruncations, survivingPlaces } from '../primitives/sample-mutants.ts';
import { prepareSuitEnvelope, verifySuitEnvelope } from './index.ts';

const FOLDER = new URL('../../../wire/vectors/suit/', import.meta.url);
const example = Uint8Array.from(readFileSync(new URL('example0.suit', FOLDER)));
const spkiOf = (key: KeyObject): Uint8Array => Uint8Array.from(key.export({ type: 'spki', format: 'der' }));
const theirs = spkiOf(createPublicKey(readFileSync(new URL('key.pem', FOLDER))));
const coded = (code: string) => expect.objectContaining({ code });
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const manifest: SuitManifest = {
  sequence: 7,
  vendorId: new Uint8Array(16).fill(1),
  classId: new Uint8Array(16).fill(2),
  imageDigest: new Uint8Array(32).fill(3),
  imageSize: 4096,
  uri: 'https://updates.example/lamp.bin',
};

describe('a SUIT envelope', () => {
  it('of the draft is accepted by its key alone', () => {
    expect(verifySuitEnvelope(example, [spkiOf(own.publicKey), theirs])).toMatchObject({ imageSize: 34_768 });
    expect(() => verifySuitEnvelope(example, [spkiOf(own.publicKey)])).toThrowError(coded('boot.bad_signature'));
    expect(() => verifySuitEnvelope(example, [theirs], 1)).toThrowError(coded('boot.counter_too_low'));
  });

  it.each([
    ['P-256', own, 'sha256'],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'sha384'],
    ['Ed25519', generateKeyPairSync('ed25519'), undefined],
  ] as const)('made here is accepted: %s', (_name, { privateKey, publicKey }, hash) => {
    const prepared = prepareSuitEnvelope(manifest, spkiOf(publicKey));
    const bytes = prepared.finish(sign(hash, prepared.message, privateKey));
    expect(verifySuitEnvelope(bytes, [spkiOf(publicKey)], 7)).toEqual(manifest);
    expect(() => verifySuitEnvelope(bytes, [theirs])).toThrowError(coded('boot.bad_signature'));
  });

  it('lets no change through', () => {
    const judge = (bytes: Uint8Array): unknown => verifySuitEnvelope(bytes, [theirs]);
    expect(survivingPlaces(example, judge, { count: 3000 })).toEqual([]);
    expect(acceptedTruncations(example, judge)).toEqual([]);
  });

  it('is not made by RSA', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(() => prepareSuitEnvelope(manifest, spkiOf(publicKey))).toThrowError(coded('boot.unsupported_key'));
  });
});
