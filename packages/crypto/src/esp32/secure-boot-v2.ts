import { equalBytes, HoldfastError } from '@holdfast/kernel';
import {
  decodeEspAppImage,
  decodeSignedImage,
  encodeSignedImage,
  ESP_CHIP_TABLE,
  ESP_CHIPS,
  type EspAppImage,
  type EspChip,
  type EspSignatureBlock,
  isEspAppImage,
  padToSector,
} from '@holdfast/wire/esp32';
import { digest } from '../primitives/hash.ts';
import type { EspPublicKey } from './public-key.ts';
import { ESP_ALGORITHMS, type EspAlgorithm, toBlockSignature, verifyEspSignature } from './signature.ts';

/** What a verifier of ESP32 images demands beyond a good signature. */
export interface EspPolicy {
  /** The application must carry a secure version of at least this. */
  readonly minCounter?: number;
  /** Signature blocks the chip reads: 1 on ESP32 and ESP32-C2, 3 (default) on the others. */
  readonly maxBlocks?: 1 | 2 | 3;
  /** The chip an application must be for; it also says how many blocks are read. */
  readonly chip?: EspChip;
  /** Page an application must be padded to, so that no page is mapped that was not verified: 65,536 on most chips. */
  readonly securePage?: number;
}

/** A signed image that every rule let pass. */
export interface AcceptedEspImage {
  readonly covered: Uint8Array;
  readonly digest: Uint8Array;
  readonly key: EspPublicKey;
  /** Undefined when the content is no application. */
  readonly app: EspAppImage | undefined;
}

/**
 * Judges a secure boot v2 image: every block is well formed, unique and over this very image, one is by a trusted key
 * and its signature holds, and an application in it is one the bootloader would load.
 *
 * @throws `boot.unknown_key`, `boot.bad_signature`, `boot.hash_mismatch`, `boot.tlv_duplicate`, `boot.counter_missing`,
 * `boot.counter_too_low`, and the decoders' errors
 * @see ESP-IDF components/bootloader_support/src/secure_boot_v2/secure_boot_signatures_bootloader.c
 */
export function judgeSecureBootV2(
  bytes: Uint8Array,
  keys: readonly EspPublicKey[],
  policy: EspPolicy = {},
): AcceptedEspImage {
  const { covered, blocks } = decodeSignedImage(bytes);
  const limit = policy.maxBlocks ?? policy.chip?.signatureBlocks ?? 3;
  if (blocks.length > limit) {
    throw new HoldfastError('boot.trailing_bytes', { blocks: blocks.length, limit });
  }
  const imageDigest = checkBlocks(covered, blocks);
  const trusted = blocks.flatMap((block) => {
    const key = keys.find(({ scheme, field }) => scheme === block.scheme && equalBytes(field, block.key));
    return key === undefined ? [] : [{ key, block }];
  });
  const [first] = trusted;
  if (first === undefined) throw new HoldfastError('boot.unknown_key', { blocks: blocks.length });
  for (const { key, block } of trusted) {
    if (!verifyEspSignature(key, covered, block.signature))
      throw new HoldfastError('boot.bad_signature', { key: key.scheme });
  }
  const app = judgeApp(covered);
  checkApp(app, covered.length, policy);
  checkSecureVersion(app, policy.minCounter);
  return { covered, digest: imageDigest, key: first.key, app };
}

function checkBlocks(covered: Uint8Array, blocks: readonly EspSignatureBlock[]): Uint8Array {
  const [first] = blocks;
  const hash = first?.imageDigest.length === 48 ? 'sha384' : 'sha256';
  const expected = digest(hash, covered);
  for (const [index, block] of blocks.entries()) {
    // A block of another scheme is skipped by the chip: room for a stranger's bytes.
    if (block.scheme !== first?.scheme)
      throw new HoldfastError('boot.tlv_not_allowed', { block: index, scheme: block.scheme });
    if (!equalBytes(block.imageDigest, expected)) throw new HoldfastError('boot.hash_mismatch', { block: index });
    if (blocks.slice(0, index).some((other) => equalBytes(other.key, block.key))) {
      throw new HoldfastError('boot.tlv_duplicate', { block: index });
    }
  }
  return expected;
}

/** @throws `boot.wrong_device`, `boot.bad_header`, `boot.counter_too_high` */
function checkApp(
  app: EspAppImage | undefined,
  length: number,
  { chip, securePage }: Pick<EspPolicy, 'chip' | 'securePage'>,
): void {
  if (app === undefined) {
    if (chip === undefined && securePage === undefined) return;
    throw new HoldfastError('boot.bad_magic', { field: 'application' });
  }
  if (chip !== undefined && app.chipId !== chip.id)
    throw new HoldfastError('boot.wrong_device', { field: 'chip_id', found: app.chipId });
  if (securePage !== undefined && length % securePage !== 0)
    throw new HoldfastError('boot.bad_header', { field: 'secure padding', size: length });
  const bits = ESP_CHIP_TABLE.find(({ id }) => id === app.chipId)?.secureVersionBits;
  const secureVersion = app.descriptor?.secureVersion ?? 0;
  // Once confirmed, a version that the fuses cannot hold would be remembered as none.
  if (bits !== undefined && secureVersion > bits)
    throw new HoldfastError('boot.counter_too_high', { counter: secureVersion, limit: bits });
}

/** An application is judged as the bootloader would; other signed data has no form to judge. */
function judgeApp(covered: Uint8Array): EspAppImage | undefined {
  const chipId = (covered[12] ?? 0) | ((covered[13] ?? 0) << 8);
  if (!isEspAppImage(covered) || !ESP_CHIPS.has(chipId)) return undefined;
  const app = decodeEspAppImage(covered);
  if (app.digest !== undefined && !equalBytes(digest('sha256', app.digest.covered), app.digest.value)) {
    throw new HoldfastError('boot.hash_mismatch', { field: 'digest' });
  }
  return app;
}

function checkSecureVersion(app: EspAppImage | undefined, minCounter: number | undefined): void {
  if (minCounter === undefined) return;
  const counter = app?.descriptor?.secureVersion;
  if (counter === undefined) throw new HoldfastError('boot.counter_missing', { minCounter });
  if (counter < minCounter) throw new HoldfastError('boot.counter_too_low', { counter, minCounter });
}

export interface EspSignOptions {
  /** The input is signed already: keep its blocks and add one. */
  readonly append?: boolean;
  readonly maxBlocks?: 1 | 2 | 3;
  /** The chip an application must be for; it also says how many blocks are read. */
  readonly chip?: EspChip;
  /** Page an application must have been padded to by `elf2image --secure-pad-v2`. */
  readonly securePage?: number;
}

/** An image that waits for its signature. */
export interface PreparedEspImage {
  readonly algorithm: EspAlgorithm;
  /** The image filled to a sector, which the algorithm hashes. */
  readonly message: Uint8Array;
  /** @throws `boot.signature_encoding`, `boot.bad_option` when there is no room for one more block */
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

/**
 * Lays a secure boot v2 image out and says what has to be signed.
 *
 * @throws when appending, the errors of the decoder, `boot.hash_mismatch`, `boot.tlv_duplicate`, `boot.tlv_not_allowed`
 */
export function prepareSecureBootV2(image: Uint8Array, options: EspSignOptions, key: EspPublicKey): PreparedEspImage {
  const { covered, blocks } =
    options.append === true ? decodeSignedImage(image) : { covered: padToSector(image), blocks: [] };
  if (covered.length === 0) throw new HoldfastError('boot.bad_option', { option: 'payload', size: 0 });
  checkApp(judgeApp(covered), covered.length, options);
  const imageDigest = digest(key.scheme === 'ecdsa-p384' ? 'sha384' : 'sha256', covered);
  return {
    algorithm: ESP_ALGORITHMS[key.scheme],
    message: covered,
    finish(signature) {
      const block = {
        scheme: key.scheme,
        imageDigest,
        key: key.field,
        signature: toBlockSignature(key.scheme, signature),
      };
      const all = [...blocks, block];
      checkBlocks(covered, all);
      if (all.length > (options.maxBlocks ?? options.chip?.signatureBlocks ?? 3))
        throw new HoldfastError('boot.bad_option', { option: 'blocks', count: all.length });
      return encodeSignedImage(covered, all);
    },
  };
}
