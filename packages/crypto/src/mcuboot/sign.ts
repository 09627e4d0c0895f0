import type { KeyObject } from 'node:crypto';
import { concatBytes, HoldfastError, type Random } from '@holdfast/kernel';
import {
  checkFits,
  counterOfVersion,
  draftMcubootImage,
  encodeSeal,
  type McubootHash,
  type McubootImageSpec,
  type McubootTlv,
  padToSlot,
  PURE_HASH,
  strictEcdsaSignature,
  type TrailerAlign,
} from '@holdfast/wire/mcuboot';
import { digest } from '../primitives/hash.ts';
import { encryptPayload, type ImageKeyBits } from './encryption.ts';
import { mcubootClassId, mcubootVendorId } from './product-id.ts';
import type { McubootPublicKey } from './public-key.ts';
import { type SignatureRequest, signatureRequest } from './signature.ts';

/** The flash slot an image goes to; sizes in bytes. */
export interface McubootSlot {
  readonly size: number;
  /** Smallest write of the flash: 1, 2, 4, 8, 16 or 32. Default 1. */
  readonly writeSize?: number;
  /** Spacing of the trailer's fields; default the larger of 8 and `writeSize`. */
  readonly align?: TrailerAlign;
  readonly maxSectors?: number;
  readonly overwriteOnly?: boolean;
  /** Fill the slot and write the trailer. */
  readonly pad?: boolean;
  /** Mark the image as confirmed; implies `pad`. */
  readonly confirm?: boolean;
  /** The boot code keeps the encryption entry in the trailer instead of the key. */
  readonly saveEncryptionTlv?: boolean;
}

/** For whom the payload is encrypted. */
export interface McubootEncryption {
  /** Public RSA-2048, P-256 or X25519 key, or a secret AES key-encryption key. */
  readonly recipient: KeyObject;
  readonly bits: ImageKeyBits;
  readonly random: Random;
  readonly sha512?: boolean;
  /** Leave the payload in clear and only carry the key, for an image that goes to the primary slot. */
  readonly clear?: boolean;
}

/** Everything a signer is told about an image beside its payload and key. */
export interface McubootSignOptions
  extends Omit<McubootImageSpec, 'securityCounter' | 'bootRecord' | 'vendorId' | 'classId' | 'encryption'> {
  readonly securityCounter?: number | 'auto';
  /** Software type of the boot record, at most 12 bytes. */
  readonly bootRecord?: string;
  /** A domain name or a UUID. */
  readonly vendorId?: string;
  /** A name within the vendor, or a UUID. */
  readonly classId?: string;
  /** Put the hash of the public key into the image (default), or the key itself. */
  readonly publicKeyForm?: 'hash' | 'full';
  /** Ed25519 over the image instead of over its digest. */
  readonly pure?: boolean;
  readonly hash?: McubootHash;
  readonly slot?: McubootSlot;
  readonly encryption?: McubootEncryption;
}

/** An image that waits for its signature. */
export interface PreparedMcubootImage {
  readonly request: SignatureRequest;
  readonly digest: Uint8Array;
  readonly securityCounter: number | undefined;
  /**
   * The image with this signature; it has not been verified.
   *
   * @throws `boot.signature_encoding` for an ECDSA signature in another form, `boot.image_too_large`
   */
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
  /** The same image with its payload in clear, for judging it without the device's key. */
  finishClear(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

/**
 * Lays an image out and says what has to be signed.
 *
 * @throws `boot.bad_option`, `boot.bad_version`, `boot.header_not_blank`, `boot.unsupported_key`
 */
export function prepareMcubootImage(
  payload: Uint8Array,
  options: McubootSignOptions,
  key: McubootPublicKey,
): PreparedMcubootImage {
  const pure = options.pure ?? false;
  const hash = chooseHash(options, key);
  const spec = specOf(options, key, hash);
  const covered = draftMcubootImage(payload, spec);
  const imageDigest = digest(hash, covered);
  const { stored, encryption } = encryptCovered(covered, spec, options.encryption);
  const keyForm = options.publicKeyForm ?? 'hash';
  const seal = (body: Uint8Array, signature: Uint8Array): Uint8Array<ArrayBuffer> => {
    if (key.rule.signatureLength === undefined) strictEcdsaSignature(signature, key.rule);
    const entries = encodeSeal({
      hash,
      digest: imageDigest,
      pure,
      key: { form: keyForm, bytes: keyForm === 'hash' ? key.hashes[hash] : key.bytes },
      signatureTlv: key.rule.signatureTlv,
      signature,
      ...(encryption === undefined ? {} : { encryption }),
    });
    return fitSlot(concatBytes(body, entries), options, encryption);
  };
  return {
    request: signatureRequest(key, { covered, digest: imageDigest, pure }),
    digest: imageDigest,
    securityCounter: spec.securityCounter,
    finish: (signature) => seal(stored, signature),
    finishClear: (signature) => seal(covered, signature),
  };
}

function chooseHash({ pure = false, hash }: McubootSignOptions, key: McubootPublicKey): McubootHash {
  if (pure && key.kind !== 'ed25519') throw new HoldfastError('boot.bad_option', { option: 'pure', key: key.kind });
  const chosen = hash ?? (pure ? PURE_HASH : key.rule.hashes[0]);
  if (chosen === undefined || !key.rule.hashes.includes(chosen) || (pure && chosen !== PURE_HASH)) {
    throw new HoldfastError('boot.bad_option', { option: 'sha', key: key.kind });
  }
  return chosen;
}

function specOf(
  options: McubootSignOptions,
  key: McubootPublicKey,
  hash: McubootHash,
): McubootImageSpec & { securityCounter?: number } {
  const { securityCounter, bootRecord, vendorId, classId, encryption, slot: _slot, ...rest } = options;
  const { version } = options;
  const vendor = vendorId === undefined ? undefined : mcubootVendorId(vendorId);
  const counter = securityCounter === 'auto' ? counterOfVersion(version) : securityCounter;
  return {
    ...rest,
    ...(counter === undefined ? {} : { securityCounter: counter }),
    ...(bootRecord === undefined
      ? {}
      : {
          bootRecord: {
            softwareType: bootRecord,
            version: `${version.major}.${version.minor}.${version.revision}`,
            signerId: key.hashes[hash],
            hash,
          },
        }),
    ...(vendor === undefined ? {} : { vendorId: vendor }),
    ...(classId === undefined ? {} : { classId: mcubootClassId(classId, vendor) }),
    ...(encryption === undefined ? {} : { encryption: encryption.bits }),
  };
}

interface StoredImage {
  readonly stored: Uint8Array;
  readonly encryption?: McubootTlv;
}

/** Hash and signature cover the plain payload; the file holds the encrypted one. */
function encryptCovered(covered: Uint8Array, spec: McubootImageSpec, encryption?: McubootEncryption): StoredImage {
  if (encryption === undefined) return { stored: covered };
  const { headerSize } = spec;
  const imageSize = new DataView(covered.buffer, covered.byteOffset).getUint32(12, true);
  const stored = Uint8Array.from(covered);
  const { payload, tlv } = encryptPayload(
    stored.subarray(headerSize, headerSize + imageSize),
    encryption.recipient,
    encryption,
  );
  if (encryption.clear !== true) stored.set(payload, headerSize);
  return { stored, encryption: tlv };
}

function fitSlot(
  image: Uint8Array<ArrayBuffer>,
  { slot, erasedValue = 0xff }: McubootSignOptions,
  encryption: McubootTlv | undefined,
): Uint8Array<ArrayBuffer> {
  if (slot === undefined) return image;
  const { size, writeSize = 1, confirm = false, pad = confirm } = slot;
  const room = {
    align: slot.align ?? (writeSize === 16 || writeSize === 32 ? writeSize : 8),
    writeSize,
    encrypted: encryption !== undefined,
    ...(slot.maxSectors === undefined ? {} : { maxSectors: slot.maxSectors }),
    ...(slot.overwriteOnly === undefined ? {} : { overwriteOnly: slot.overwriteOnly }),
    ...(slot.saveEncryptionTlv === true && encryption !== undefined
      ? { savedEncryptionTlv: encryption.value.length }
      : {}),
  };
  if (pad) return padToSlot(image, size, room, { confirmed: confirm, erasedValue });
  checkFits(image.length, size, room);
  return image;
}
