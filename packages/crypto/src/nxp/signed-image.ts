import { ByteReader, concatBytes, equalBytes, HoldfastError } from '@holdfast/kernel';
import {
  decodeNxpImage,
  decodeNxpSecureBinary,
  layOutNxpImage,
  type NxpCertificateBlock,
  type NxpImage,
  type NxpSecureBinary,
  readNxpCertificateBlock,
} from '@holdfast/wire/nxp';
import { decodeCertificate } from '@holdfast/wire/x509';
import { verifySignature } from '../keys/verify.ts';
import { sha256 } from '../primitives/hash.ts';
import { judgeNxpChain, type NxpSigner } from './certificate-chain.ts';
import { nxpPublicKey, type NxpPublicKey } from './root-key.ts';

/** What a verifier of NXP images demands beyond a good signature. */
export interface NxpPolicy {
  /** No image of this kind carries a counter, so that every one is refused when it is given. */
  readonly minCounter?: number;
  /** SHA-256 over the four root key hashes, as the device's fuses hold it. */
  readonly rootKeyTableHash?: Uint8Array;
}

export interface AcceptedNxpImage extends NxpImage, NxpSigner {}

/**
 * Judges a signed image as an LPC55 ROM does.
 *
 * @param roots - root keys the device trusts.
 * @throws `boot.unknown_key`, `boot.bad_certificate`, `boot.bad_signature`, `boot.counter_missing`, and the decoder's errors
 */
export function judgeNxpImage(
  bytes: Uint8Array,
  roots: readonly NxpPublicKey[],
  policy: NxpPolicy = {},
): AcceptedNxpImage {
  const image = decodeNxpImage(bytes);
  const chain = judgeNxpChain(image.block, { roots, ...policy });
  checkSignature(chain.signer, image);
  if (policy.minCounter !== undefined)
    throw new HoldfastError('boot.counter_missing', { minCounter: policy.minCounter });
  return { ...image, ...chain };
}

/**
 * Judges an SB2.1 file: its structure, its signature and, through the signed digest, its encrypted sections; what is in
 * them shows only with the device's key.
 *
 * @throws `boot.hash_missing` for a file without that digest, `boot.hash_mismatch`, and as {@link judgeNxpImage}
 */
export function judgeNxpSecureBinary(
  bytes: Uint8Array,
  roots: readonly NxpPublicKey[],
  policy: NxpPolicy = {},
): NxpSecureBinary & NxpSigner {
  const file = decodeNxpSecureBinary(bytes, signatureLengthOf);
  const chain = judgeNxpChain(file.block, { roots, ...policy });
  checkSignature(chain.signer, file);
  if (file.sectionsDigest === undefined) throw new HoldfastError('boot.hash_missing', { field: 'sections' });
  if (!equalBytes(sha256(file.sections), file.sectionsDigest))
    throw new HoldfastError('boot.hash_mismatch', { field: 'sections' });
  return { ...file, ...chain };
}

/** What an SB2.1 file says about itself. @throws as the decoder */
export function readNxpSecureBinary(bytes: Uint8Array): NxpSecureBinary {
  return decodeNxpSecureBinary(bytes, signatureLengthOf);
}

function signatureLengthOf({ certificates }: NxpCertificateBlock): number {
  const leaf = certificates.at(-1);
  return leaf === undefined ? 0 : nxpPublicKey(leaf.spki.raw).signatureLength;
}

function checkSignature(
  { key, signatureLength }: NxpPublicKey,
  { covered, signature }: { covered: Uint8Array; signature: Uint8Array },
): void {
  if (signature.length !== signatureLength)
    throw new HoldfastError('boot.signature_encoding', { size: signature.length });
  if (!verifySignature('rsa-pkcs1-sha256', key, covered, signature)) throw new HoldfastError('boot.bad_signature');
}

/** What a signer is told about an image beside the application and its key. */
export interface NxpSignOptions {
  /** DER, the root first; the last holds the signing key. */
  readonly certificates: readonly Uint8Array[];
  /** SubjectPublicKeyInfo of up to four root keys, in the order of their slots. */
  readonly rootKeys: readonly Uint8Array[];
  readonly loadAddress?: number;
  /** Default `disabled`. */
  readonly trustZone?: 'enabled' | 'disabled';
  readonly buildNumber?: number;
}

export interface PreparedNxpImage {
  readonly algorithm: 'rsa-pkcs1-sha256';
  readonly message: Uint8Array;
  /** @throws `boot.signature_encoding` */
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

/**
 * Lays an image out and says what has to be signed.
 *
 * @throws `boot.bad_option` for certificates that do not lead from a root in the table to this key, as the ROM asks
 */
export function prepareNxpImage(application: Uint8Array, options: NxpSignOptions, key: NxpPublicKey): PreparedNxpImage {
  const roots = options.rootKeys.map(nxpPublicKey);
  const leaf = options.certificates.at(-1);
  if (leaf === undefined || !equalBytes(decodeCertificate(leaf).spki.raw, key.key.spki))
    throw new HoldfastError('boot.bad_option', { option: 'certificate', reason: 'of another key' });
  if (new Set(roots.map(({ hash }) => hash.join())).size !== roots.length)
    throw new HoldfastError('boot.bad_option', { option: 'root-key', reason: 'twice' });
  const message = layOutNxpImage(application, {
    certificates: options.certificates,
    rootKeyHashes: roots.map(({ hash }) => hash),
    buildNumber: options.buildNumber ?? 0,
    loadAddress: options.loadAddress ?? 0,
    trustZone: options.trustZone ?? 'disabled',
    signatureLength: key.signatureLength,
  });
  const blockAt = new ByteReader(message, 0x28).u32le('certificate block offset');
  judgeNxpChain(readNxpCertificateBlock(new ByteReader(message, blockAt), 4), { roots });
  return {
    algorithm: 'rsa-pkcs1-sha256',
    message,
    finish(signature) {
      if (signature.length !== key.signatureLength)
        throw new HoldfastError('boot.signature_encoding', { size: signature.length });
      return concatBytes(message, signature);
    },
  };
}
