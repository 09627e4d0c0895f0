import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  timingSafeEqual,
} from 'node:crypto';
import { concatBytes, HoldfastError, type Random } from '@holdfast/kernel';
import {
  ENCRYPTION_TLVS,
  hasFlag,
  MCUBOOT_FLAG,
  MCUBOOT_TLV,
  type McubootImage,
  type McubootTlv,
} from '@holdfast/wire/mcuboot';

/** AES key sizes of an image, in bits. */
export type ImageKeyBits = 128 | 256;

// The IV is constant: one key encrypts one image and no second one (MCUboot docs/encrypted_images.md).
const ZERO_IV = new Uint8Array(16);
const ECIES_INFO = 'MCUBoot_ECIES_v1';
const WRAP_IV = new Uint8Array(8).fill(0xa6); // RFC 3394 section 2.2.3.1

/** An encrypted payload and the entry that carries its key. */
export interface EncryptedPayload {
  readonly payload: Uint8Array;
  readonly tlv: McubootTlv;
}

/**
 * Encrypts a payload with a fresh AES key and encrypts that key for the device.
 *
 * @param recipient - public RSA-2048, P-256 or X25519 key, or the secret AES key-encryption key.
 * @param payload - a multiple of 16 bytes.
 * @throws `boot.unsupported_key` when the recipient's key is of another kind.
 * @see MCUboot docs/encrypted_images.md
 */
export function encryptPayload(
  payload: Uint8Array,
  recipient: KeyObject,
  options: { readonly bits: ImageKeyBits; readonly random: Random; readonly sha512?: boolean },
): EncryptedPayload {
  const imageKey = options.random.bytes(options.bits / 8);
  const tlv = wrapImageKey(imageKey, recipient, options.sha512 === true ? 'sha512' : 'sha256');
  return { payload: applyAesCtr(imageKey, payload), tlv };
}

/** A decrypted image: what hash and signature cover, and the payload in it. */
export interface ClearImage {
  readonly covered: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * Decrypts the payload of an encrypted image. Nothing is authentic until its hash and signature have been checked.
 *
 * @param key - private RSA-2048, P-256 or X25519 key, or the secret AES key-encryption key.
 * @throws `boot.decrypt_failed` when the image carries no key for this one.
 */
export function decryptMcubootImage(image: McubootImage, key: KeyObject): ClearImage {
  const tlvs = image.unprotectedTlvs.filter((tlv) => ENCRYPTION_TLVS.includes(tlv.type));
  const [tlv] = tlvs;
  if (tlv === undefined || tlvs.length > 1) throw new HoldfastError('boot.decrypt_failed', { keys: tlvs.length });
  const imageKey = unwrapImageKey(tlv, key);
  const bits = hasFlag(image.header, MCUBOOT_FLAG.aes128) ? 128 : 256;
  if (imageKey.length * 8 !== bits) throw new HoldfastError('boot.decrypt_failed', { bits: imageKey.length * 8 });
  const { headerSize, imageSize } = image.header;
  const covered = Uint8Array.from(image.covered);
  const payload = covered.subarray(headerSize, headerSize + imageSize);
  payload.set(applyAesCtr(imageKey, image.payload));
  return { covered, payload };
}

function applyAesCtr(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createCipheriv(key.length === 16 ? 'aes-128-ctr' : 'aes-256-ctr', key, ZERO_IV).update(bytes);
}

type EciesHash = 'sha256' | 'sha512';

function wrapImageKey(imageKey: Uint8Array, recipient: KeyObject, hash: EciesHash): McubootTlv {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = recipient;
  if (recipient.type === 'secret') return { type: MCUBOOT_TLV.encKw, value: wrapByAes(imageKey, recipient) };
  if (type === 'rsa' && details?.modulusLength === 2048) {
    return { type: MCUBOOT_TLV.encRsa2048, value: publicEncrypt(oaep(recipient), imageKey) };
  }
  if (type === 'x25519') {
    const value = sealEcies(imageKey, recipient, hash);
    return { type: hash === 'sha256' ? MCUBOOT_TLV.encX25519 : MCUBOOT_TLV.encX25519Sha512, value };
  }
  if (type === 'ec' && details?.namedCurve === 'prime256v1' && hash === 'sha256') {
    return { type: MCUBOOT_TLV.encEc256, value: sealEcies(imageKey, recipient, hash) };
  }
  throw new HoldfastError('boot.unsupported_key', { type, hash });
}

function unwrapImageKey({ type, value }: McubootTlv, key: KeyObject): Uint8Array {
  try {
    if (type === MCUBOOT_TLV.encKw && key.type === 'secret') return unwrapByAes(value, key);
    if (type === MCUBOOT_TLV.encRsa2048 && key.asymmetricKeyType === 'rsa') return privateDecrypt(oaep(key), value);
    if (type === MCUBOOT_TLV.encEc256 && key.asymmetricKeyType === 'ec') return openEcies(value, key, 'sha256');
    if (type === MCUBOOT_TLV.encX25519 && key.asymmetricKeyType === 'x25519') return openEcies(value, key, 'sha256');
    if (type === MCUBOOT_TLV.encX25519Sha512 && key.asymmetricKeyType === 'x25519')
      return openEcies(value, key, 'sha512');
  } catch (cause) {
    throw new HoldfastError('boot.decrypt_failed', { type }, { cause });
  }
  throw new HoldfastError('boot.decrypt_failed', { type });
}

function oaep(key: KeyObject) {
  return { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
}

function wrapCipher(key: KeyObject): string {
  return key.symmetricKeySize === 16 ? 'id-aes128-wrap' : 'id-aes256-wrap';
}

function wrapByAes(imageKey: Uint8Array, key: KeyObject): Uint8Array {
  if (key.symmetricKeySize !== imageKey.length)
    throw new HoldfastError('boot.unsupported_key', { type: 'aes', bits: (key.symmetricKeySize ?? 0) * 8 });
  const cipher = createCipheriv(wrapCipher(key), key, WRAP_IV);
  return concatBytes(cipher.update(imageKey), cipher.final());
}

function unwrapByAes(value: Uint8Array, key: KeyObject): Uint8Array {
  const decipher = createDecipheriv(wrapCipher(key), key, WRAP_IV);
  return concatBytes(decipher.update(value), decipher.final());
}

// ECIES: ephemeral public key | HMAC over the encrypted key | encrypted key.

interface EciesKeys {
  readonly cipherKey: Uint8Array;
  readonly macKey: Uint8Array;
}

function deriveEcies(secret: Uint8Array, keyLength: number, hash: EciesHash): EciesKeys {
  const macLength = hash === 'sha256' ? 32 : 64;
  const derived = new Uint8Array(hkdfSync(hash, secret, '', ECIES_INFO, keyLength + macLength));
  return { cipherKey: derived.subarray(0, keyLength), macKey: derived.subarray(keyLength) };
}

function sealEcies(imageKey: Uint8Array, recipient: KeyObject, hash: EciesHash): Uint8Array {
  const x25519 = recipient.asymmetricKeyType === 'x25519';
  const ephemeral = x25519 ? generateKeyPairSync('x25519') : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient });
  const { cipherKey, macKey } = deriveEcies(secret, imageKey.length, hash);
  const encrypted = applyAesCtr(cipherKey, imageKey);
  const mac = createHmac(hash, macKey).update(encrypted).digest();
  const spki = ephemeral.publicKey.export({ type: 'spki', format: 'der' });
  return concatBytes(spki.subarray(-pointLength(x25519)), mac, encrypted);
}

function openEcies(value: Uint8Array, key: KeyObject, hash: EciesHash): Uint8Array {
  const point = pointLength(key.asymmetricKeyType === 'x25519');
  const macEnd = point + (hash === 'sha256' ? 32 : 64);
  const encrypted = value.subarray(macEnd);
  const own = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const ephemeral = createPublicKey({
    key: Buffer.concat([own.subarray(0, own.length - point), value.subarray(0, point)]),
    type: 'spki',
    format: 'der',
  });
  const { cipherKey, macKey } = deriveEcies(
    diffieHellman({ privateKey: key, publicKey: ephemeral }),
    encrypted.length,
    hash,
  );
  const mac = createHmac(hash, macKey).update(encrypted).digest();
  if (!timingSafeEqual(mac, value.subarray(point, macEnd))) throw new HoldfastError('boot.decrypt_failed');
  return applyAesCtr(cipherKey, encrypted);
}

/** Bytes of an uncompressed P-256 point, or of a raw X25519 key, at the end of their SubjectPublicKeyInfo. */
function pointLength(x25519: boolean): number {
  return x25519 ? 32 : 65;
}
