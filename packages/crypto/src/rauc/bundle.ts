import { concatBytes, HoldfastError } from '@holdfast/kernel';
import {
  decodeRaucManifest,
  encodeRaucTail,
  RAUC_BLOCK,
  RAUC_TAIL,
  type RaucManifest,
  readRaucLayout,
  readSquashfsSize,
  sealRaucManifest,
  SQUASHFS_HEAD,
} from '@holdfast/wire/rauc';
import type { Certificate } from '@holdfast/wire/x509';
import { decodeSignedData } from '@holdfast/wire/cms';
import {
  type CmsSigner,
  type CmsSignOptions,
  type CmsTrust,
  judgeSignedData,
  prepareSignedData,
} from '../cms/index.ts';
import type { SignatureAlgorithm } from '../keys/algorithms.ts';
import { readFromBytes, type Reading } from '../primitives/byte-source.ts';
import { sha256 } from '../primitives/hash.ts';
import { buildVerity, judgeVerity, verityTreeSize } from './verity.ts';

/** What a verifier of bundles demands beyond a good signature. */
export interface RaucPolicy {
  /** Bundles carry no counter, so that every one is refused when it is given. */
  readonly minCounter?: number;
  readonly compatible?: string;
  /** Authorities whose signers are trusted. */
  readonly anchors?: readonly Certificate[];
  /** Milliseconds since the Unix epoch for the validity of certificates; the signing time when absent. */
  readonly now?: number;
}

export interface AcceptedRaucBundle {
  readonly manifest: RaucManifest;
  readonly signer: CmsSigner;
  /** Bytes of the file system image that opens the file. */
  readonly imageSize: number;
}

/**
 * Judges a verity bundle: the signature over the manifest, the tree that the manifest names, every block of it and of the
 * file system, and that there is nothing else.
 *
 * @param size - of the whole file.
 * @throws `boot.hash_mismatch`, `boot.wrong_device`, `boot.counter_missing`, `boot.trailing_bytes`, and the errors of
 * manifest, layout and signature
 * @see RAUC docs/reference.rst, Bundle Formats
 */
export function* judgeRaucBundle(
  size: number,
  keys: readonly Uint8Array[],
  policy: RaucPolicy = {},
): Reading<AcceptedRaucBundle> {
  if (size < RAUC_TAIL + SQUASHFS_HEAD) throw new HoldfastError('wire.truncated', { field: 'bundle', size });
  const tail = yield { offset: size - RAUC_TAIL, length: RAUC_TAIL };
  const { contentSize, signatureSize } = readRaucLayout(tail, size);
  const trust: CmsTrust = { keys, anchors: policy.anchors ?? [], now: policy.now };
  const signer = judgeSignedData(
    Uint8Array.from(yield { offset: contentSize, length: signatureSize }),
    undefined,
    trust,
  );
  const manifest = decodeRaucManifest(signer.content);
  if (policy.compatible !== undefined && manifest.compatible !== policy.compatible)
    throw new HoldfastError('boot.wrong_device', { field: 'compatible' });
  if (policy.minCounter !== undefined)
    throw new HoldfastError('boot.counter_missing', { minCounter: policy.minCounter });
  const imageSize = contentSize - manifest.verity.treeSize;
  if (imageSize < RAUC_BLOCK || verityTreeSize(imageSize) !== manifest.verity.treeSize)
    throw new HoldfastError('boot.bad_header', { field: 'verity-size', size: manifest.verity.treeSize });
  const head = yield { offset: 0, length: SQUASHFS_HEAD };
  if (readSquashfsSize(head) !== imageSize) throw new HoldfastError('boot.trailing_bytes', { field: 'squashfs' });
  yield* judgeVerity(imageSize, manifest.verity);
  return { manifest, signer, imageSize };
}

/** A bundle before anybody asked whether it is genuine. */
export interface UnprovenRaucBundle {
  readonly manifest: RaucManifest;
  /** The bytes of the manifest. */
  readonly content: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  /** Bytes of image and hash tree. */
  readonly contentSize: number;
}

/** What a bundle says about itself; nothing of it is proven. @throws as the decoders */
export function* readRaucBundle(size: number): Reading<UnprovenRaucBundle> {
  if (size < RAUC_TAIL + SQUASHFS_HEAD) throw new HoldfastError('wire.truncated', { field: 'bundle', size });
  const { contentSize, signatureSize } = readRaucLayout(yield { offset: size - RAUC_TAIL, length: RAUC_TAIL }, size);
  const { content, certificates } = decodeSignedData(
    Uint8Array.from(yield { offset: contentSize, length: signatureSize }),
  );
  // A detached signature is what a plain bundle has.
  if (content === undefined) throw new HoldfastError('wire.unsupported', { field: 'bundle format', format: 'plain' });
  return { manifest: decodeRaucManifest(content), content, certificates, contentSize };
}

/** The image and the manifest of a bundle that another key signed; its signature is not judged, only replaced. */
function takeApart(bundle: Uint8Array): { image: Uint8Array; author: Uint8Array } {
  const { manifest, content, contentSize } = readFromBytes(readRaucBundle(bundle.length), bundle);
  return { image: bundle.subarray(0, Math.max(0, contentSize - manifest.verity.treeSize)), author: content };
}

/** What a signer is told about a bundle beside the file system image and its key. */
export interface RaucSignOptions extends CmsSignOptions {
  /** manifest.raucm of the author, with sizes and hashes; without it the payload is a bundle, whose manifest is kept. */
  readonly manifest?: Uint8Array;
  /** 32 bytes; drawn from the image when absent, so that one image has one bundle. */
  readonly salt?: Uint8Array;
}

export interface PreparedRaucBundle {
  readonly algorithm: SignatureAlgorithm;
  readonly message: Uint8Array;
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

/**
 * Lays a verity bundle out around a squashfs image and says what has to be signed.
 *
 * @throws `boot.bad_magic` when the payload is no squashfs image, `boot.bad_option`
 */
export function prepareRaucBundle(payload: Uint8Array, options: RaucSignOptions, spki: Uint8Array): PreparedRaucBundle {
  const { image, author } =
    options.manifest === undefined ? takeApart(payload) : { image: payload, author: options.manifest };
  const { salt = sha256(image) } = options;
  if (salt.length !== 32) throw new HoldfastError('boot.bad_option', { option: 'salt', size: salt.length });
  if (readSquashfsSize(image) !== image.length)
    throw new HoldfastError('boot.bad_option', { option: 'payload', reason: 'squashfs size' });
  const { tree, rootHash } = buildVerity(image, salt);
  const manifest = sealRaucManifest(author, { rootHash, salt, treeSize: tree.length });
  const prepared = prepareSignedData(manifest, true, options, spki);
  return {
    algorithm: prepared.algorithm,
    message: prepared.message,
    finish(signature) {
      const cms = prepared.finish(signature);
      return concatBytes(image, tree, cms, encodeRaucTail(cms.length));
    },
  };
}
