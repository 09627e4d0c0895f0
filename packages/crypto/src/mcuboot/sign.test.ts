import { createSecretKey } from 'node:crypto';
import { seededRandom } from '@holdfast/kernel';
import { parseVersion } from '@holdfast/wire/mcuboot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  mcubootClassId,
  type McubootPolicy,
  type McubootSignOptions,
  mcubootVendorId,
  prepareMcubootImage,
  verifyMcubootImage,
} from './index.ts';
import { signSample, SMALL, VECTOR_KEYS, vectorKey, vectorPublicKey } from './sample-images.ts';

const keys = VECTOR_KEYS.map(vectorPublicKey);
const coded = (code: string) => expect.objectContaining({ code });
const payload = new Uint8Array(100).fill(0x5a);

describe('a signed image', () => {
  it.each(VECTOR_KEYS)('is accepted by the verifier with a key of kind %s', (name) => {
    for (const publicKeyForm of ['hash', 'full'] as const) {
      const image = signSample(payload, { ...SMALL, publicKeyForm, securityCounter: 'auto', bootRecord: 'APP' }, name);
      const verdict = verifyMcubootImage(image, keys, { minCounter: 0x01020003 });
      expect(verdict).toMatchObject({ kind: 'accepted', securityCounter: 0x01020003, payload });
    }
  });

  it('is accepted whatever its options', () => {
    const options = fc.record(
      {
        headerSize: fc.constantFrom(32, 64, 512, 1024),
        erasedValue: fc.constantFrom<0x00 | 0xff>(0x00, 0xff),
        securityCounter: fc.oneof(fc.nat(0xffffffff), fc.constant<'auto'>('auto')),
        vendorId: fc.domain(),
        bootRecord: fc.stringMatching(/^[A-Z]{0,12}$/),
        publicKeyForm: fc.constantFrom<'hash' | 'full'>('hash', 'full'),
        pure: fc.boolean(),
        slot: fc.record({
          size: fc.constant(8192),
          writeSize: fc.constantFrom(1, 2, 4, 8, 16, 32),
          maxSectors: fc.constantFrom(1, 16),
          overwriteOnly: fc.boolean(),
          pad: fc.boolean(),
          confirm: fc.boolean(),
        }),
      },
      { requiredKeys: ['headerSize'] },
    );
    fc.assert(
      fc.property(options, fc.uint8Array({ minLength: 1, maxLength: 400 }), (chosen, body) => {
        const image = signSample(body, { version: parseVersion('3.1'), padHeader: true, ...chosen }, 'root-ed25519');
        const verdict = verifyMcubootImage(image, keys);
        expect(verdict).toMatchObject({ kind: 'accepted', payload: body });
      }),
      { numRuns: 60 },
    );
  });

  it.each<[string, McubootSignOptions, string]>([
    ['pure with a key that cannot', { ...SMALL, pure: true }, 'boot.bad_option'],
    ['with a hash its key does not allow', { ...SMALL, hash: 'sha512' }, 'boot.bad_option'],
    ['with a class name and no vendor', { ...SMALL, classId: 'sensor' }, 'boot.bad_option'],
    ['with a long software type', { ...SMALL, bootRecord: 'thirteen-char' }, 'boot.bad_option'],
    ['that overflows its slot', { ...SMALL, slot: { size: 1700, writeSize: 4 } }, 'boot.image_too_large'],
  ])('is not made %s', (_name, options, code) => {
    expect(() => signSample(payload, options, 'root-ec-p256')).toThrowError(coded(code));
  });

  it('takes no signature in another encoding', () => {
    const prepared = prepareMcubootImage(payload, SMALL, vectorPublicKey('root-ec-p256'));
    expect(() => prepared.finish(new Uint8Array(64))).toThrowError(coded('boot.signature_encoding'));
  });
});

describe('an encrypted image', () => {
  const kek = (bits: number) => createSecretKey(seededRandom(bits).bytes(bits / 8));
  const cases = [
    ['RSA-2048', 'root-rsa-2048', vectorKey('enc-rsa2048-priv'), 128, false],
    ['P-256', 'root-ec-p256', vectorKey('enc-ec256-priv'), 256, false],
    ['X25519', 'root-ed25519', vectorKey('enc-x25519-priv'), 128, false],
    ['X25519 with SHA-512', 'root-ed25519', vectorKey('enc-x25519-priv'), 256, true],
    ['AES-128 key wrap', 'root-ed25519', kek(128), 128, false],
    ['AES-256 key wrap', 'root-ed25519', kek(256), 256, false],
  ] as const;

  it.each(cases)(
    'for %s is accepted once decrypted, and never reveals its payload',
    (_name, signer, recipient, bits, sha512) => {
      const encryption = { recipient, bits, random: seededRandom(1), sha512 };
      const image = signSample(payload, { ...SMALL, encryption, slot: { size: 8192 } }, signer);
      expect(Buffer.from(image).includes(Buffer.from(payload.subarray(0, 16)))).toBe(false);
      expect(verifyMcubootImage(image, keys)).toMatchObject({ code: 'boot.encrypted' });
      const verdict = verifyMcubootImage(image, keys, { decryptionKey: recipient });
      expect(verdict.kind === 'accepted' && verdict.payload.subarray(0, 100)).toEqual(payload);
      expect(verdict.kind === 'accepted' && verdict.payload.length).toBe(112);
    },
  );

  it.each<[string, McubootPolicy]>([
    ['a key of another kind', { decryptionKey: vectorKey('enc-x25519-priv') }],
    ['another key of the same kind', { decryptionKey: vectorKey('root-ec-p256') }],
    ['a wrapping key', { decryptionKey: kek(128) }],
  ])('is refused with %s', (_name, policy) => {
    const encryption = { recipient: vectorKey('enc-ec256-priv'), bits: 128, random: seededRandom(1) } as const;
    const image = signSample(payload, { ...SMALL, encryption }, 'root-ec-p256');
    expect(verifyMcubootImage(image, keys, policy)).toMatchObject({ kind: 'refused', code: 'boot.decrypt_failed' });
  });

  it('is not made for a key of another kind', () => {
    const encryption = { recipient: vectorKey('root-ed25519'), bits: 128, random: seededRandom(1) } as const;
    expect(() => signSample(payload, { ...SMALL, encryption }, 'root-ed25519')).toThrowError(
      coded('boot.unsupported_key'),
    );
  });
});

describe('product ids', () => {
  it('are the UUIDs of RFC 9562 appendix A.4 for its name, or the UUID as given', () => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    expect(hex(mcubootVendorId('www.example.com'))).toBe('2ed6657de927568b95e12665a8aea6a2');
    expect(hex(mcubootVendorId('2ed6657d-e927-568b-95e1-2665a8aea6a2'))).toBe('2ed6657de927568b95e12665a8aea6a2');
    expect(mcubootClassId('2ED6657DE927568B95E12665A8AEA6A2', undefined)).toEqual(mcubootVendorId('www.example.com'));
  });
});
