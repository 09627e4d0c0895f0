import { readFileSync } from 'node:fs';
import { encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAlgorithm, OID } from '../x509/index.ts';
import { decodeSignedData, encodeSignedAttributes, encodeSignedData } from './index.ts';

const FOLDER = new URL('../../vectors/rauc/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));

describe('a CMS SignedData', () => {
  const whole = vector('cms-ec.der');

  it('reads what OpenSSL writes', () => {
    const signed = decodeSignedData(whole);
    expect(signed.content).toEqual(encodeUtf8('hello content'));
    expect(signed.certificates).toHaveLength(1);
    expect(signed.signer.kind).toBe('issuer-and-serial');
    expect(signed.messageDigest).toHaveLength(32);
    expect(decodeSignedData(vector('cms-rsa-detached.der')).content).toBeUndefined();
    expect(decodeSignedData(vector('cms-keyid.der')).signer.kind).toBe('key-identifier');
  });

  it('writes the same bytes', () => {
    const signed = decodeSignedData(whole);
    if (signed.signer.kind !== 'issuer-and-serial' || signed.signingTime === undefined) throw new Error('vector');
    const covered = encodeSignedAttributes(signed.messageDigest, signed.signingTime);
    expect(covered).toEqual(signed.covered);
    const input = {
      ...signed,
      ...signed.signer,
      digestAlgorithm: encodeAlgorithm(OID.sha256),
      signatureAlgorithm: encodeAlgorithm(OID.ecdsaWithSha256),
    };
    expect(encodeSignedData(input)).toEqual(whole);
  });

  it.each(['cms-noattr.der', 'cms-two.der'])('refuses what nobody signed or two did: %s', (name) => {
    expect(() => decodeSignedData(vector(name))).toThrowError(HoldfastError);
  });

  it('refuses one certificate twice, which nobody signed', () => {
    const signed = decodeSignedData(whole);
    if (signed.signer.kind !== 'issuer-and-serial') throw new Error('vector');
    const twice = encodeSignedData({
      ...signed,
      ...signed.signer,
      certificates: [...signed.certificates, ...signed.certificates],
      digestAlgorithm: encodeAlgorithm(OID.sha256),
      signatureAlgorithm: encodeAlgorithm(OID.ecdsaWithSha256),
    });
    expect(() => decodeSignedData(twice)).toThrowError(expect.objectContaining({ code: 'wire.duplicate' }));
  });

  it('refuses every cut and answers any bytes', () => {
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeSignedData(whole.subarray(0, length))).toThrowError(HoldfastError);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, bytes) => {
        const copy = Uint8Array.from(whole);
        copy.set(bytes.subarray(0, whole.length - at), at);
        try {
          decodeSignedData(copy);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
