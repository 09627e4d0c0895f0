import {
  type AcceptedRaucBundle,
  judgeRaucBundle,
  prepareRaucBundle,
  type RaucPolicy,
  type RaucSignOptions,
  readFromBytes,
  readFromSource,
  readRaucBundle,
  sha256,
} from '@holdfast/crypto';
import { encodeHex } from '@holdfast/kernel';
import { isSquashfs } from '@holdfast/wire/rauc';
import { decodeCertificate, nameText } from '@holdfast/wire/x509';
import type { ImageFact, ImageFormat } from './image-format.ts';
import { accepted, fact, sourceVerdictOf, verdictOf } from './verdict.ts';

/** RAUC bundles in the verity format, for Linux devices. */
export const raucFormat: ImageFormat<RaucSignOptions, RaucPolicy> = {
  name: 'rauc',
  title: 'RAUC verity bundle',
  signs: true,
  detect: isSquashfs,
  inspect: (bytes) => inspectBundle(bytes),
  recipients: () => [],
  prepare(payload, options, publicKeySpki) {
    const prepared = prepareRaucBundle(payload, options, publicKeySpki);
    return {
      request: prepared,
      finish: (signature) => prepared.finish(signature),
      judge: (signature) => judge(prepared.finish(signature), [publicKeySpki], {}),
    };
  },
  verifier(keys) {
    return (bytes, policy = {}) => judge(bytes, keys, policy);
  },
  sourceVerifier(keys) {
    return (source, policy = {}) =>
      sourceVerdictOf(source.size, async () =>
        proven(await readFromSource(judgeRaucBundle(source.size, keys, policy), source)),
      );
  },
};

function judge(bytes: Uint8Array, keys: readonly Uint8Array[], policy: RaucPolicy) {
  return verdictOf(() => {
    const bundle = readFromBytes(judgeRaucBundle(bytes.length, keys, policy), bytes);
    return accepted({ ...proven(bundle), bytes, payload: bytes.subarray(0, bundle.imageSize) });
  });
}

/** The root hash stands for the content as a whole. */
function proven({ manifest, signer: { certificate } }: AcceptedRaucBundle) {
  const { raw } = certificate.spki;
  return { digest: manifest.verity.rootHash, keyDigest: sha256(raw), spki: raw, version: manifest.version };
}

function inspectBundle(bytes: Uint8Array): ImageFact[] {
  const { manifest, certificates } = readFromBytes(readRaucBundle(bytes.length), bytes);
  const { compatible, version, verity, images } = manifest;
  return [
    fact('update', 'compatible', compatible),
    fact('update', 'version', version),
    fact('bundle', 'root hash', encodeHex(verity.rootHash)),
    fact('bundle', 'salt', encodeHex(verity.salt)),
    fact('bundle', 'hash tree', verity.treeSize),
    ...images.map(({ slot, filename, size }) => fact(`image.${slot}`, filename, size ?? '')),
    ...certificates.map((der, index) => fact('certificates', `${index}`, nameText(decodeCertificate(der).subject))),
  ];
}
