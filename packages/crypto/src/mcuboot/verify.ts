import type { KeyObject } from 'node:crypto';
import { equalBytes, type ErrorCode, type ErrorDetails, HoldfastError } from '@holdfast/kernel';
import {
  decodeMcubootImage,
  ENCRYPTION_TLVS,
  findTlv,
  HASH_TLV,
  hasFlag,
  MCUBOOT_FLAG,
  MCUBOOT_TLV,
  type McubootDependency,
  type McubootHash,
  type McubootImage,
  nameTlv,
  readDependencies,
  readSecurityCounter,
  SIGNATURE_TLVS,
} from '@holdfast/wire/mcuboot';
import { digest } from '../primitives/hash.ts';
import { decryptMcubootImage } from './encryption.ts';
import type { McubootPublicKey } from './public-key.ts';
import { checkSignature } from './signature.ts';

/** What a verifier demands beyond a good signature. */
export interface McubootPolicy {
  /** The image must carry a security counter of at least this. */
  readonly minCounter?: number;
  /** `slot`: the bytes are a whole flash slot, what follows the image is not judged. Default `padded`. */
  readonly tail?: 'padded' | 'slot';
  readonly vendorTypes?: readonly number[];
  /** Accept ones in the header's last word, as the PSoC 64 tools leave it. Default false. */
  readonly headerFilling?: boolean;
  /** Accept ECDSA signatures padded with zeros for MCUboot before 1.5. Default false. */
  readonly paddedSignatures?: boolean;
  readonly nonBootable?: boolean;
  /** Private half of the encryption key; without it encrypted images are refused. */
  readonly decryptionKey?: KeyObject;
  /** The payload is in clear although the header names a cipher, as in a primary slot (imgtool --clear). */
  readonly clear?: boolean;
}

/** An image that every rule let pass; the views in it are the very bytes that were judged. */
export interface AcceptedMcubootImage {
  readonly kind: 'accepted';
  readonly image: McubootImage;
  readonly key: McubootPublicKey;
  readonly hash: McubootHash;
  readonly digest: Uint8Array;
  readonly securityCounter: number | undefined;
  readonly dependencies: readonly McubootDependency[];
  /** The payload in clear: a view, or the decrypted copy. */
  readonly payload: Uint8Array;
}

export interface RefusedMcubootImage {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly reason: string;
  readonly details: ErrorDetails;
}

export type McubootVerdict = AcceptedMcubootImage | RefusedMcubootImage;

/**
 * Judges an image as the strictest of imgtool and the boot code would, and refuses what both let pass although anyone
 * could have changed it: duplicate entries, bytes after the signature or the image, unsigned counters.
 *
 * @param keys - the keys the device trusts.
 */
export function verifyMcubootImage(
  bytes: Uint8Array,
  keys: readonly McubootPublicKey[],
  policy: McubootPolicy = {},
): McubootVerdict {
  try {
    return judge(decodeMcubootImage(bytes, policy), keys, policy);
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return { kind: 'refused', code: error.code, reason: error.message, details: error.details };
  }
}

function judge(image: McubootImage, keys: readonly McubootPublicKey[], policy: McubootPolicy): AcceptedMcubootImage {
  checkKind(image, policy);
  const { unprotectedTlvs: tlvs } = image;
  const hash = onlyHash(image);
  const signature = onlySignature(image);
  const key = signer(image, hash, keys);
  if (signature.type !== key.rule.signatureTlv) {
    throw new HoldfastError('boot.tlv_not_allowed', { tlv: nameTlv(signature.type), key: key.kind });
  }
  const pure = findTlv(tlvs, MCUBOOT_TLV.pure);
  if (!key.rule.hashes.includes(hash) || (pure !== undefined && (pure[0] !== 1 || key.kind !== 'ed25519'))) {
    throw new HoldfastError('boot.tlv_not_allowed', {
      tlv: pure === undefined ? hash : nameTlv(MCUBOOT_TLV.pure),
      key: key.kind,
    });
  }
  const { covered, payload } = clearImage(image, policy);
  const imageDigest = digest(hash, covered);
  if (!equalBytes(imageDigest, findTlv(tlvs, HASH_TLV[hash]) ?? new Uint8Array(0)))
    throw new HoldfastError('boot.hash_mismatch', { hash });
  checkSignature(
    key,
    { covered, digest: imageDigest, pure: pure !== undefined },
    signature.value,
    policy.paddedSignatures,
  );

  const securityCounter = readSecurityCounter(image.protectedTlvs);
  checkCounter(securityCounter, policy.minCounter);
  const dependencies = readDependencies(image.protectedTlvs);
  return { kind: 'accepted', image, key, hash, digest: imageDigest, securityCounter, dependencies, payload };
}

const COMPRESSED = MCUBOOT_FLAG.lzma1 | MCUBOOT_FLAG.lzma2 | MCUBOOT_FLAG.armThumbFilter;
const COMPRESSION_TLVS: readonly number[] = [
  MCUBOOT_TLV.decompSize,
  MCUBOOT_TLV.decompSha,
  MCUBOOT_TLV.decompSignature,
  MCUBOOT_TLV.compDecSize,
];
const ENCRYPTED = MCUBOOT_FLAG.aes128 | MCUBOOT_FLAG.aes256;

function checkKind({ header, protectedTlvs, unprotectedTlvs }: McubootImage, policy: McubootPolicy): void {
  if (hasFlag(header, COMPRESSED) || protectedTlvs.some((tlv) => COMPRESSION_TLVS.includes(tlv.type))) {
    throw new HoldfastError('boot.compressed', { flags: header.flags });
  }
  if (hasFlag(header, MCUBOOT_FLAG.nonBootable) && policy.nonBootable !== true) {
    throw new HoldfastError('boot.not_bootable', { flags: header.flags });
  }
  if (hasFlag(header, ENCRYPTED)) {
    if (policy.decryptionKey === undefined && policy.clear !== true)
      throw new HoldfastError('boot.encrypted', { flags: header.flags });
    return;
  }
  // Nothing signs the unprotected area, so an encrypted key beside a plain payload is room for a stranger's bytes.
  const stray = unprotectedTlvs.find((tlv) => ENCRYPTION_TLVS.includes(tlv.type));
  if (stray !== undefined) throw new HoldfastError('boot.tlv_not_allowed', { tlv: nameTlv(stray.type) });
}

function onlyHash({ unprotectedTlvs }: McubootImage): McubootHash {
  const found = (['sha256', 'sha384', 'sha512'] as const).filter(
    (name) => findTlv(unprotectedTlvs, HASH_TLV[name]) !== undefined,
  );
  const [hash] = found;
  if (hash === undefined) throw new HoldfastError('boot.hash_missing');
  if (found.length > 1) throw new HoldfastError('boot.tlv_duplicate', { tlv: 'hash' });
  return hash;
}

function onlySignature({ unprotectedTlvs }: McubootImage): { readonly type: number; readonly value: Uint8Array } {
  const found = unprotectedTlvs.filter((tlv) => SIGNATURE_TLVS.includes(tlv.type));
  const [signature] = found;
  if (signature === undefined) throw new HoldfastError('boot.signature_missing');
  if (found.length > 1) throw new HoldfastError('boot.tlv_duplicate', { tlv: 'signature' });
  return signature;
}

const KEY_TLVS: readonly number[] = [MCUBOOT_TLV.keyHash, MCUBOOT_TLV.publicKey];

function signer(
  { unprotectedTlvs }: McubootImage,
  hash: McubootHash,
  keys: readonly McubootPublicKey[],
): McubootPublicKey {
  const named = unprotectedTlvs.filter((tlv) => KEY_TLVS.includes(tlv.type));
  const [name] = named;
  if (name === undefined) throw new HoldfastError('boot.unknown_key', { reason: 'no key named' });
  if (named.length > 1) throw new HoldfastError('boot.tlv_duplicate', { tlv: 'key' });
  // Boot code takes the key it met last before a signature, and imgtool the hash: both must stand in front.
  const order = unprotectedTlvs.findIndex((tlv) => SIGNATURE_TLVS.includes(tlv.type));
  const late = unprotectedTlvs.slice(order).find((tlv) => tlv === name || tlv.type === HASH_TLV[hash]);
  if (late !== undefined) throw new HoldfastError('boot.bad_tlv', { tlv: nameTlv(late.type), field: 'order' });
  const matches = (key: McubootPublicKey): boolean =>
    equalBytes(name.value, name.type === MCUBOOT_TLV.keyHash ? key.hashes[hash] : key.bytes);
  const key = keys.find(matches);
  if (key === undefined) throw new HoldfastError('boot.unknown_key');
  return key;
}

function clearImage(
  image: McubootImage,
  { decryptionKey, clear }: McubootPolicy,
): { covered: Uint8Array; payload: Uint8Array } {
  if (decryptionKey === undefined || clear === true || !hasFlag(image.header, ENCRYPTED)) return image;
  return decryptMcubootImage(image, decryptionKey);
}

function checkCounter(counter: number | undefined, minCounter: number | undefined): void {
  if (minCounter === undefined) return;
  if (counter === undefined) throw new HoldfastError('boot.counter_missing', { minCounter });
  if (counter < minCounter) throw new HoldfastError('boot.counter_too_low', { counter, minCounter });
}
