import { concatBytes, equalBytes, HoldfastError } from '@holdfast/kernel';
import {
  CPIO_END,
  decodeSwuDescription,
  encodeCpioEntry,
  MAX_SWU_DESCRIPTION,
  SWU_DESCRIPTION,
  SWU_SIGNATURE,
  type SwuDescription,
  type SwuFile,
} from '@holdfast/wire/swupdate';
import type { Certificate } from '@holdfast/wire/x509';
import { type CmsSignOptions, judgeSignedData, prepareSignedData } from '../cms/index.ts';
import type { SignatureAlgorithm } from '../keys/algorithms.ts';
import { importPublicKey, type PublicKey } from '../keys/public-key.ts';
import { verifySignature } from '../keys/verify.ts';
import { readFromBytes, type Reading } from '../primitives/byte-source.ts';
import { sha256 } from '../primitives/hash.ts';
import { type ArchivedFile, CPIO_BLOCK, hashEntry, readEntries } from './archive.ts';

/** What a verifier of `.swu` files demands beyond a good signature. */
export interface SwuPolicy {
  /** Packages carry no counter, so that every one is refused when it is given. */
  readonly minCounter?: number;
  /** Hardware revision of the device. */
  readonly hardware?: string;
  /** Authorities whose signers are trusted. */
  readonly anchors?: readonly Certificate[];
  /** Milliseconds since the Unix epoch for the validity of certificates; the signing time when absent. */
  readonly now?: number;
}

export interface AcceptedSwu {
  readonly description: SwuDescription;
  /** SHA-256 of the description, which names the hashes of all files. */
  readonly digest: Uint8Array;
  /** SubjectPublicKeyInfo of the signer. */
  readonly spki: Uint8Array;
}

const MAX_SIGNATURE = 65_536;

/**
 * Judges a `.swu` file: the signature over the description, each file against the hash in it, and that there is no file that
 * it does not name.
 *
 * @param size - of the whole file.
 * @throws `boot.signature_missing`, `boot.bad_signature`, `boot.hash_mismatch`, `boot.hash_missing`, `boot.bad_header` for
 * files in another order or set, `boot.wrong_device`, `boot.counter_missing`, and the errors of archive and signature
 * @see SWUpdate doc/source/signed_images.rst
 */
export function* judgeSwu(size: number, keys: readonly Uint8Array[], policy: SwuPolicy = {}): Reading<AcceptedSwu> {
  const [head, seal, ...rest] = yield* readEntries(size);
  if (head?.name !== SWU_DESCRIPTION) throw new HoldfastError('boot.bad_magic', { field: SWU_DESCRIPTION });
  if (seal?.name !== SWU_SIGNATURE) throw new HoldfastError('boot.signature_missing');
  const text = yield* readSmall(head, MAX_SWU_DESCRIPTION);
  const signature = yield* readSmall(seal, MAX_SIGNATURE);
  const spki = judgeSignature(text, signature, keys, policy);
  const description = decodeSwuDescription(text);
  checkPolicy(description, policy);
  yield* judgeFiles(rest, description.files);
  return { description, digest: sha256(text), spki };
}

function* judgeFiles(entries: readonly ArchivedFile[], files: readonly SwuFile[]): Reading<void> {
  if (entries.length !== files.length)
    throw new HoldfastError('boot.bad_header', { field: 'files', found: entries.length, wanted: files.length });
  for (const entry of entries) {
    const file = files.find(({ filename }) => filename === entry.name);
    if (file === undefined) throw new HoldfastError('boot.bad_header', { field: 'unnamed file', offset: entry.start });
    if (!equalBytes(yield* hashEntry(entry), file.sha256))
      throw new HoldfastError('boot.hash_mismatch', { field: 'sha256', offset: entry.data });
  }
}

/** A copy of a small file, its sum and filling checked. */
function* readSmall(entry: ArchivedFile, limit: number): Reading<Uint8Array> {
  if (entry.size > limit) throw new HoldfastError('wire.too_large', { field: entry.name, limit });
  yield* hashEntry(entry);
  return Uint8Array.from(yield { offset: entry.data, length: entry.size });
}

const RAW_ALGORITHMS = ['rsa-pkcs1-sha256', 'rsa-pss-sha256'] as const;

/** CMS, or an RSA signature as it is, by how SWUpdate was built; the first is never as short as the second. */
function judgeSignature(
  text: Uint8Array,
  signature: Uint8Array,
  keys: readonly Uint8Array[],
  policy: SwuPolicy,
): Uint8Array {
  const raw = keys.map(importPublicKey).find((key) => isRawBy(key, text, signature));
  if (raw !== undefined) return raw.spki;
  const { certificate } = judgeSignedData(signature, text, { keys, anchors: policy.anchors ?? [], now: policy.now });
  return certificate.spki.raw;
}

function isRawBy(key: PublicKey, text: Uint8Array, signature: Uint8Array): boolean {
  return (
    key.kind.kind === 'rsa' && RAW_ALGORITHMS.some((algorithm) => verifySignature(algorithm, key, text, signature))
  );
}

function checkPolicy({ hardware }: SwuDescription, policy: SwuPolicy): void {
  if (policy.hardware !== undefined && !hardware.includes(policy.hardware))
    throw new HoldfastError('boot.wrong_device', { field: 'hardware-compatibility' });
  if (policy.minCounter !== undefined)
    throw new HoldfastError('boot.counter_missing', { minCounter: policy.minCounter });
}

/** The description of a package before anybody asked whether it is genuine. */
export interface UnprovenSwu {
  readonly description: SwuDescription;
  readonly entries: readonly ArchivedFile[];
}

/** What a package says about itself; nothing of it is proven. @throws as the decoders */
export function* readSwu(size: number): Reading<UnprovenSwu> {
  const entries = yield* readEntries(size);
  const [head] = entries;
  if (head?.name !== SWU_DESCRIPTION) throw new HoldfastError('boot.bad_magic', { field: SWU_DESCRIPTION });
  return { description: decodeSwuDescription(yield* readSmall(head, MAX_SWU_DESCRIPTION)), entries };
}

/** How the signature is written: as the build of SWUpdate on the device reads it. */
export type SwuSignOptions = ({ readonly form: 'cms' } & CmsSignOptions) | { readonly form: 'rsa-pkcs1' | 'rsa-pss' };

export interface PreparedSwu {
  readonly algorithm: SignatureAlgorithm;
  readonly message: Uint8Array;
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

/**
 * Takes a `.swu` file, signed or not, and says what has to be signed for its description.
 *
 * @throws `boot.bad_option`, `boot.unsupported_key` for a bare signature by anything but RSA, and as {@link readSwu}
 */
export function prepareSwu(payload: Uint8Array, options: SwuSignOptions, spki: Uint8Array): PreparedSwu {
  const { entries } = readFromBytes(readSwu(payload.length), payload);
  const [head, ...rest] = entries;
  if (head === undefined) throw new HoldfastError('boot.bad_magic', { field: SWU_DESCRIPTION });
  const text = payload.subarray(head.data, head.data + head.size);
  const { algorithm, message, seal } = prepareSignature(text, options, spki);
  const piece = ({ start, end }: ArchivedFile): Uint8Array => payload.subarray(start, end);
  const files = rest.filter(({ name }) => name !== SWU_SIGNATURE).map(piece);
  return {
    algorithm,
    message,
    finish(signature) {
      const entry = encodeCpioEntry(head.kind, SWU_SIGNATURE, seal(signature));
      const end = encodeCpioEntry(head.kind, CPIO_END, new Uint8Array(0));
      const whole = concatBytes(piece(head), entry, ...files, end);
      return concatBytes(whole, new Uint8Array(-whole.length & (CPIO_BLOCK - 1)));
    },
  };
}

interface PreparedSignature {
  readonly algorithm: SignatureAlgorithm;
  readonly message: Uint8Array;
  readonly seal: (signature: Uint8Array) => Uint8Array;
}

function prepareSignature(text: Uint8Array, options: SwuSignOptions, spki: Uint8Array): PreparedSignature {
  if (options.form !== 'cms') {
    if (importPublicKey(spki).kind.kind !== 'rsa')
      throw new HoldfastError('boot.unsupported_key', { form: options.form });
    return { algorithm: `${options.form}-sha256`, message: text, seal: (signature) => signature };
  }
  const prepared = prepareSignedData(text, false, options, spki);
  return { algorithm: prepared.algorithm, message: prepared.message, seal: (signature) => prepared.finish(signature) };
}
