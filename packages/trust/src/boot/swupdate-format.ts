import {
  type AcceptedSwu,
  judgeSwu,
  prepareSwu,
  readFromBytes,
  readFromSource,
  readSwu,
  sha256,
  type SwuPolicy,
  type SwuSignOptions,
} from '@holdfast/crypto';
import { encodeHex } from '@holdfast/kernel';
import type { ImageFact, ImageFormat } from './image-format.ts';
import { accepted, fact, sourceVerdictOf, verdictOf } from './verdict.ts';

const MAGICS = ['070701', '070702'];

/** SWUpdate packages, for Linux devices. */
export const swupdateFormat: ImageFormat<SwuSignOptions, SwuPolicy> = {
  name: 'swupdate',
  title: 'SWUpdate package',
  signs: true,
  detect: (bytes) => MAGICS.includes(new TextDecoder('latin1').decode(bytes.subarray(0, 6))),
  inspect: inspectPackage,
  recipients: () => [],
  prepare(payload, options, publicKeySpki) {
    const prepared = prepareSwu(payload, options, publicKeySpki);
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
        proven(await readFromSource(judgeSwu(source.size, keys, policy), source)),
      );
  },
};

function judge(bytes: Uint8Array, keys: readonly Uint8Array[], policy: SwuPolicy) {
  return verdictOf(() => {
    const result = readFromBytes(judgeSwu(bytes.length, keys, policy), bytes);
    return accepted({ ...proven(result), bytes, payload: bytes });
  });
}

function proven({ description, digest, spki }: AcceptedSwu) {
  return { digest, keyDigest: sha256(spki), spki, version: description.version };
}

function inspectPackage(bytes: Uint8Array): ImageFact[] {
  const { description, entries } = readFromBytes(readSwu(bytes.length), bytes);
  return [
    fact('software', 'version', description.version),
    ...description.hardware.map((revision) => fact('software', 'hardware', revision)),
    ...description.files.map(({ filename, sha256: hash }) => fact('software', filename, encodeHex(hash))),
    ...entries.map(({ name, size }) => fact('archive', name, size)),
  ];
}
