import { describe, expect, it } from 'vitest';
import { encodeUtf8 } from '@holdfast/kernel';
import { decodeDsseEnvelope } from '@holdfast/wire/dsse';
import { createSigner, generatePrivateKey, keyIdOf, signDsse, verifyDsse } from '../index.ts';

const TYPE = 'application/vnd.holdfast.manifest+json';
const payload = encodeUtf8('{"version":"1.2.3"}');
const [a, b, c] = await Promise.all([
  generatePrivateKey('P-256'),
  generatePrivateKey('ed25519'),
  generatePrivateKey('P-256'),
]);
const trusted = [
  { publicKey: a.publicKey, algorithm: 'ecdsa-p256-sha256' as const },
  { publicKey: b.publicKey, algorithm: 'ed25519' as const },
];
const policy = { payloadType: TYPE, keys: trusted, threshold: 2 };

describe('threshold signatures', () => {
  it('verify when enough different keys signed', async () => {
    const envelope = decodeDsseEnvelope(await signDsse(TYPE, payload, [createSigner(a), createSigner(b)]));
    expect(verifyDsse(envelope, policy)).toEqual({
      kind: 'verified',
      payload,
      signers: [keyIdOf(a.publicKey.spki), keyIdOf(b.publicKey.spki)],
    });
  });

  it('count one key once, however often it signs, is listed or renames itself', async () => {
    const { signatures, ...rest } = decodeDsseEnvelope(
      await signDsse(TYPE, payload, [createSigner(a), createSigner(a)]),
    );
    const renamed = signatures.map((signature, index) => ({ ...signature, keyId: `key-${index}` }));
    const keys = [...trusted, ...trusted];
    expect(verifyDsse({ ...rest, signatures: renamed }, { ...policy, keys })).toMatchObject({
      kind: 'below-threshold',
    });
  });

  it('do not count a stranger, a changed payload, another type or a threshold of nothing', async () => {
    const signers = [createSigner(a), createSigner(c)];
    const envelope = decodeDsseEnvelope(await signDsse(TYPE, payload, signers));
    expect(verifyDsse(envelope, policy).kind).toBe('below-threshold');
    const changed = { ...envelope, payload: encodeUtf8('{"version":"9.9.9"}') };
    expect(verifyDsse(changed, { ...policy, threshold: 1 }).kind).toBe('below-threshold');
    expect(verifyDsse(envelope, { ...policy, payloadType: 'text/plain' }).kind).toBe('wrong-type');
    expect(verifyDsse({ ...envelope, signatures: [] }, { ...policy, threshold: 0 }).kind).toBe('below-threshold');
  });

  it('of one type do not verify as another of the same bytes', async () => {
    const envelope = decodeDsseEnvelope(await signDsse('text/plain', payload, [createSigner(a), createSigner(b)]));
    expect(verifyDsse({ ...envelope, payloadType: TYPE }, policy).kind).toBe('below-threshold');
  });
});
