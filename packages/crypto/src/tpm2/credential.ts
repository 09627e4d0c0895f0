import { createCipheriv, createDecipheriv, generateKeyPairSync } from 'node:crypto';
import { ByteReader, ByteWriter, concatBytes, encodeUtf8, HoldfastError, type Random } from '@holdfast/kernel';
import {
  decodeTpmIdObject,
  decodeTpmPoint,
  encodeTpmIdObject,
  encodeTpmPoint,
  hasAttributes,
  TPM_CURVES,
  TPM_OBJECT,
  type TpmCredential,
  type TpmPublic,
} from '@holdfast/wire/tpm2';
import { agreeSecret, encryptOaep } from '../keys/agreement.ts';
import { PrivateKey } from '../keys/private-key.ts';
import { importPublicKey } from '../keys/public-key.ts';
import { HASH_LENGTHS, hmac, timingSafeEqual } from '../primitives/hash.ts';
import { kdfa, kdfe } from './key-derivation.ts';
import { leftPad, tpmSpki } from './names.ts';

const ZERO_IV = new Uint8Array(16);
const NOTHING = new Uint8Array();

/** Whether a public area is one of an endorsement key: it opens credentials and does nothing else. */
export function isEndorsementKey(area: TpmPublic): boolean {
  const { fixedTpm, fixedParent, sensitiveDataOrigin, restricted, decrypt, sign } = TPM_OBJECT;
  return (
    hasAttributes(area, fixedTpm, fixedParent, sensitiveDataOrigin, restricted, decrypt) &&
    !hasAttributes(area, sign) &&
    area.symmetric !== undefined
  );
}

/**
 * Seals a secret so that only the TPM with this endorsement key opens it, and only for the object of this name
 * (TPM2_MakeCredential; TPM 2.0 part 1, 24).
 *
 * @param secret - at most as long as the endorsement key's hash
 * @throws `crypto.bad_key` when the area is not an endorsement key's
 */
export function makeCredential(
  endorsement: TpmPublic,
  name: Uint8Array,
  secret: Uint8Array,
  random: Random,
): TpmCredential {
  const hash = endorsement.nameHash;
  if (!isEndorsementKey(endorsement) || secret.length > HASH_LENGTHS[hash]) {
    throw new HoldfastError('crypto.bad_key', { field: 'endorsement key' });
  }
  const { seed, encryptedSecret } = shareSeed(endorsement, random);
  const { encrypt, integrityKey } = credentialKeys(endorsement, seed, name);
  const sized = new ByteWriter(34).u16be(secret.length).bytes(secret).finish();
  const cipher = createCipheriv(`aes-${encrypt.length * 8}-cfb`, encrypt, ZERO_IV);
  const encIdentity = concatBytes(cipher.update(sized), cipher.final());
  const integrity = hmac(hash, integrityKey, concatBytes(encIdentity, name));
  return { idObject: encodeTpmIdObject({ integrity, encIdentity }), encryptedSecret };
}

/**
 * Opens a credential as a TPM with a P-256 endorsement key does.
 *
 * @throws `crypto.open_failed` when it was made for another name or another key
 */
export function openCredential(
  endorsement: { readonly area: TpmPublic; readonly key: PrivateKey },
  name: Uint8Array,
  { idObject, encryptedSecret }: TpmCredential,
): Uint8Array {
  const { area, key } = endorsement;
  if (area.type !== 'ecc') throw new HoldfastError('crypto.unsupported_algorithm', { algorithm: area.type });
  const { size } = TPM_CURVES[area.curve];
  const point = decodeTpmPoint(encryptedSecret);
  const peer = importPublicKey(tpmSpki({ ...area, ...point }));
  const seed = kdfe({
    hash: area.nameHash,
    secret: agreeSecret(key, peer),
    label: 'IDENTITY',
    parties: [leftPad(point.x, size), leftPad(area.x, size)],
    bits: HASH_LENGTHS[area.nameHash] * 8,
  });
  const { encrypt, integrityKey } = credentialKeys(area, seed, name);
  const { integrity, encIdentity } = decodeTpmIdObject(idObject);
  const expected = hmac(area.nameHash, integrityKey, concatBytes(encIdentity, name));
  if (!timingSafeEqual(integrity, expected)) throw new HoldfastError('crypto.open_failed');
  const cipher = createDecipheriv(`aes-${encrypt.length * 8}-cfb`, encrypt, ZERO_IV);
  const reader = new ByteReader(concatBytes(cipher.update(encIdentity), cipher.final()));
  const secret = reader.take(reader.u16be('secret'), 'secret');
  reader.end('secret');
  return secret;
}

function shareSeed(
  area: TpmPublic,
  random: Random,
): { readonly seed: Uint8Array; readonly encryptedSecret: Uint8Array } {
  const hash = area.nameHash;
  const peer = importPublicKey(tpmSpki(area));
  if (area.type === 'rsa') {
    const seed = random.bytes(HASH_LENGTHS[hash]);
    // The label's NUL is part of it (TPM 2.0 part 1, B.4).
    return { seed, encryptedSecret: encryptOaep(peer, seed, { hash, label: encodeUtf8('IDENTITY\0') }) };
  }
  const { size } = TPM_CURVES[area.curve];
  const ephemeral = new PrivateKey(generateKeyPairSync('ec', { namedCurve: area.curve }).privateKey);
  const point = ephemeral.publicKey.spki.slice(-2 * size);
  const [x, y] = [point.subarray(0, size), point.subarray(size)];
  const seed = kdfe({
    hash,
    secret: agreeSecret(ephemeral, peer),
    label: 'IDENTITY',
    parties: [x, leftPad(area.x, size)],
    bits: HASH_LENGTHS[hash] * 8,
  });
  return { seed, encryptedSecret: encodeTpmPoint(x, y) };
}

function credentialKeys(area: TpmPublic, seed: Uint8Array, name: Uint8Array) {
  const hash = area.nameHash;
  const bits = HASH_LENGTHS[hash] * 8;
  return {
    encrypt: kdfa({ hash, key: seed, label: 'STORAGE', context: name, bits: area.symmetric?.keyBits ?? 128 }),
    integrityKey: kdfa({ hash, key: seed, label: 'INTEGRITY', context: NOTHING, bits }),
  };
}
