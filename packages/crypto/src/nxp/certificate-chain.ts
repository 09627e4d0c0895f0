import { equalBytes, HoldfastError } from '@holdfast/kernel';
import type { NxpCertificateBlock } from '@holdfast/wire/nxp';
import { type Certificate, OID } from '@holdfast/wire/x509';
import { verifySignature } from '../keys/verify.ts';
import { nxpPublicKey, type NxpPublicKey, nxpRootKeyTableHash } from './root-key.ts';

/** Whom an LPC55 trusts. */
export interface NxpTrust {
  /** Root keys; the one that the file uses must be among them. */
  readonly roots: readonly NxpPublicKey[];
  /** The whole table must hash to this, as the fuses demand. */
  readonly rootKeyTableHash?: Uint8Array;
}

export interface NxpSigner {
  readonly root: NxpPublicKey;
  readonly signer: NxpPublicKey;
  readonly rootKeyTableHash: Uint8Array;
}

/** First two of eight serial octets of an image signing certificate; two octets of revocation id follow. */
const SERIAL = /^3cc3[0-9a-f]{12}$/;

/**
 * Follows the certificates from a trusted root to the signer as the ROM does: the root is self-signed and in the table,
 * each signs the next, all but the last are authorities.
 *
 * @throws `boot.unknown_key`, `boot.bad_certificate`, `boot.unsupported_key`
 * @see spsdk image/cert_block/cert_block_v1.py; serials as in its LPC55S6x test images
 */
export function judgeNxpChain(
  { certificates, rootKeyHashes }: NxpCertificateBlock,
  { roots, rootKeyTableHash }: NxpTrust,
): NxpSigner {
  const keys = certificates.map(({ spki }) => nxpPublicKey(spki.raw));
  const [rootKey] = keys;
  const leafKey = keys.at(-1);
  if (rootKey === undefined || leafKey === undefined)
    throw new HoldfastError('boot.bad_certificate', { reason: 'none' });
  const root = roots.find(({ hash }) => equalBytes(hash, rootKey.hash));
  if (root === undefined) throw new HoldfastError('boot.unknown_key', { roots: roots.length });
  if (!rootKeyHashes.some((hash) => equalBytes(hash, root.hash)))
    throw new HoldfastError('boot.unknown_key', { reason: 'not in the table of root keys' });
  // The vendor's tool counts a signature of the root's size: with another, the length in the image is not the file's.
  if (leafKey.signatureLength !== rootKey.signatureLength)
    throw new HoldfastError('boot.bad_certificate', { reason: 'key size' });
  const tableHash = nxpRootKeyTableHash(rootKeyHashes);
  if (rootKeyTableHash !== undefined && !equalBytes(tableHash, rootKeyTableHash))
    throw new HoldfastError('boot.unknown_key', { reason: 'another table of root keys' });
  for (const [index, certificate] of certificates.entries()) {
    const isLast = index === certificates.length - 1;
    checkCertificate(certificate, keys[Math.max(0, index - 1)] ?? rootKey, { index, isLast });
  }
  return { root, signer: leafKey, rootKeyTableHash: tableHash };
}

function checkCertificate(
  certificate: Certificate,
  issuer: NxpPublicKey,
  { index, isLast }: { index: number; isLast: boolean },
): void {
  const { version, signatureAlgorithm, innerAlgorithm, known, serial } = certificate;
  const isAuthority = known.basicConstraints?.ca === true;
  if (version !== 3 || isAuthority === isLast) throw bad(index, 'authority');
  if (isLast && !SERIAL.test(serial)) throw bad(index, 'serial');
  if (signatureAlgorithm.oid !== OID.sha256WithRsa || !equalBytes(signatureAlgorithm.raw, innerAlgorithm.raw))
    throw bad(index, 'algorithm');
  if (!verifySignature('rsa-pkcs1-sha256', issuer.key, certificate.tbs, certificate.signature))
    throw bad(index, 'signature');
}

function bad(certificate: number, reason: string): HoldfastError {
  return new HoldfastError('boot.bad_certificate', { certificate, reason });
}
