import {
  judgeNxpImage,
  judgeNxpSecureBinary,
  type NxpPolicy,
  nxpPublicKey,
  type NxpPublicKey,
  nxpRootKeyTableHash,
  type NxpSignOptions,
  prepareNxpImage,
  readNxpSecureBinary,
  sha256,
} from '@holdfast/crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import { decodeNxpImage, isNxpImage, isNxpSecureBinary, type NxpCertificateBlock } from '@holdfast/wire/nxp';
import { nameText } from '@holdfast/wire/x509';
import type { ImageFact, ImageFormat, ImageVerdict } from './image-format.ts';
import { accepted, fact, hex32, verdictOf } from './verdict.ts';

/** Signed images of the LPC55S69's ROM; its SB2.1 update files are verified and shown, not made. */
export const nxpLpc55Format: ImageFormat<NxpSignOptions, NxpPolicy> = {
  name: 'nxp-lpc55',
  title: 'NXP LPC55S69 signed image',
  signs: true,
  detect: (bytes) => isNxpImage(bytes) || isNxpSecureBinary(bytes),
  inspect: (bytes) => (isNxpSecureBinary(bytes) ? inspectSecureBinary(bytes) : inspectImage(bytes)),
  recipients: () => [],
  prepare(payload, options, publicKeySpki) {
    const key = nxpPublicKey(publicKeySpki);
    const prepared = prepareNxpImage(payload, options, key);
    const roots = options.rootKeys.map(nxpPublicKey);
    const policy = { rootKeyTableHash: nxpRootKeyTableHash(roots.map(({ hash }) => hash)) };
    return {
      request: prepared,
      finish: (signature) => prepared.finish(signature),
      judge: (signature) => judge(prepared.finish(signature), roots, policy),
    };
  },
  verifier(keys) {
    const roots = keys.map(nxpPublicKey);
    return (bytes, policy = {}) => judge(bytes, roots, policy);
  },
};

function judge(bytes: Uint8Array, roots: readonly NxpPublicKey[], policy: NxpPolicy): ImageVerdict {
  return verdictOf(() => {
    if (!isNxpSecureBinary(bytes)) {
      const { application, covered, root } = judgeNxpImage(bytes, roots, policy);
      const digest = sha256(covered);
      return accepted({ bytes, payload: application, digest, keyDigest: root.hash, spki: root.key.spki });
    }
    const { sections, sectionsDigest, productVersion, root } = judgeNxpSecureBinary(bytes, roots, policy);
    if (policy.minCounter !== undefined)
      throw new HoldfastError('boot.counter_missing', { minCounter: policy.minCounter });
    return accepted({
      bytes,
      payload: sections,
      digest: sectionsDigest ?? sha256(sections),
      keyDigest: root.hash,
      spki: root.key.spki,
      version: productVersion,
    });
  });
}

function inspectImage(bytes: Uint8Array): ImageFact[] {
  const { trustZone, loadAddress, application, block, signature } = decodeNxpImage(bytes);
  return [
    fact('image', 'application size', application.length),
    fact('image', 'load address', hex32(loadAddress)),
    fact('image', 'TrustZone', trustZone),
    ...blockFacts(block),
    fact('image', 'signature size', signature.length),
  ];
}

function inspectSecureBinary(bytes: Uint8Array): ImageFact[] {
  const file = readNxpSecureBinary(bytes);
  return [
    fact('file', 'product version', file.productVersion),
    fact('file', 'component version', file.componentVersion),
    fact('file', 'first section', file.firstSectionId),
    fact('file', 'size of sections', file.sections.length),
    fact('file', 'digest of sections', file.sectionsDigest === undefined ? 'none' : encodeHex(file.sectionsDigest)),
    ...blockFacts(file.block),
  ];
}

function blockFacts({ buildNumber, certificates, rootKeyHashes }: NxpCertificateBlock): ImageFact[] {
  return [
    fact('certificates', 'build number', buildNumber),
    ...certificates.map(({ subject, serial }, index) =>
      fact('certificates', `${index}`, `${serial} ${nameText(subject)}`),
    ),
    ...rootKeyHashes.map((hash, index) => fact('root keys', `${index}`, encodeHex(hash))),
    fact('root keys', 'RKTH', encodeHex(nxpRootKeyTableHash(rootKeyHashes))),
  ];
}
