import { describe, expect, it } from 'vitest';
import { parseVersion } from '@holdfast/wire/mcuboot';
import { verifyMcubootImage } from './index.ts';
import { signSample, VECTOR_KEYS, vectorFile, vectorKey, vectorPublicKey } from './sample-images.ts';
import { mcubootVectors, strictestVerdict } from './vector-manifest.ts';

const keys = VECTOR_KEYS.map(vectorPublicKey);
const vectors = mcubootVectors();
const plain = vectors.filter((vector) => vector.decrypt_key === undefined);

describe('the files of imgtool and their hostile variants', () => {
  it.each(plain)('get the strictest of the verdicts of tool and boot code: $file', (vector) => {
    const { kind } = verifyMcubootImage(vectorFile(vector.file), keys);
    expect(kind).toBe(strictestVerdict(vector));
  });

  it.each([
    ['neg-magic.bin', 'boot.bad_magic'],
    ['neg-imgsize-huge.bin', 'wire.truncated'],
    ['neg-version-bumped.bin', 'boot.hash_mismatch'],
    ['neg-payload-bit.bin', 'boot.hash_mismatch'],
    ['neg-keyhash-flip.bin', 'boot.unknown_key'],
    ['neg-sig-flip.bin', 'boot.bad_signature'],
    ['neg-hash-missing.bin', 'boot.hash_missing'],
    ['neg-dup-sig-bad-good.bin', 'boot.tlv_duplicate'],
    ['neg-sig-trailing-garbage.bin', 'boot.signature_encoding'],
    ['neg-unprot-seccnt.bin', 'boot.tlv_not_allowed'],
    ['neg-truncated-tlv.bin', 'wire.truncated'],
    ['unsigned.bin', 'boot.signature_missing'],
    ['padsig-p256.bin', 'boot.signature_encoding'],
    ['app.bin', 'boot.bad_magic'],
  ])('are refused for the right reason: %s', (file, code) => {
    expect(verifyMcubootImage(vectorFile(file), keys)).toMatchObject({ kind: 'refused', code });
  });

  it('pass with the padding of old images only where it is allowed, and only as zeros of the right number', () => {
    const policy = { paddedSignatures: true };
    expect(verifyMcubootImage(vectorFile('padsig-p256.bin'), keys, policy).kind).toBe('accepted');
    expect(verifyMcubootImage(vectorFile('neg-sig-trailing-garbage.bin'), keys, policy).kind).toBe('refused');
  });

  it.each(vectors.filter((vector) => vector.decrypt_key !== undefined))(
    'are refused while encrypted, and decrypt to the payload: $file',
    ({ file, decrypt_key = '' }) => {
      const bytes = vectorFile(file);
      expect(verifyMcubootImage(bytes, keys)).toMatchObject({ kind: 'refused', code: 'boot.encrypted' });
      const decryptionKey = vectorKey(decrypt_key.replace('.pem', ''));
      const verdict = verifyMcubootImage(bytes, keys, { decryptionKey });
      expect(verdict.kind === 'accepted' && verdict.payload.subarray(0, 3000)).toEqual(vectorFile('app.bin'));
    },
  );
});

describe('what imgtool signed with a deterministic key', () => {
  const base = { headerSize: 0x200, padHeader: true, slot: { size: 0x20000, writeSize: 4 } } as const;

  it.each([
    ['plain-root-ed25519.bin', { ...base, version: parseVersion('1.2.3+4') }],
    [
      'full-root-ed25519.bin',
      {
        ...base,
        version: parseVersion('1.2.3+4'),
        securityCounter: 'auto',
        dependencies: [{ imageId: 1, version: parseVersion('2.0.0+5') }],
        bootRecord: 'APP',
        vendorId: 'holdfast.example',
        classId: 'sensor-a',
        custom: [{ type: 0xa0, value: Uint8Array.of(0xc0, 0xff, 0xee) }],
      },
    ],
    ['pure-root-ed25519.bin', { ...base, version: parseVersion('1.0.0'), pure: true }],
  ] as const)('is made again byte for byte: %s', (file, options) => {
    expect(signSample(vectorFile('app.bin'), options, 'root-ed25519')).toEqual(vectorFile(file));
  });
});
