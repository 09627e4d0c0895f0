import {
  espPublicKey,
  type EspPolicy,
  type EspSignOptions,
  espV1Key,
  judgeSecureBootV1,
  judgeSecureBootV2,
  prepareSecureBootV2,
  sha256,
} from '@holdfast/crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import {
  decodeEspAppImage,
  decodeSignedImage,
  ESP_CHIPS,
  type EspSignatureBlock,
  isEspAppImage,
  SECTOR_LENGTH,
} from '@holdfast/wire/esp32';
import type { ImageFact, ImageFormat, ImagePolicy, ImageVerdict } from './image-format.ts';
import { accepted, fact, verdictOf } from './verdict.ts';

const BLOCK_MAGIC = 0xe7;

/** ESP32 secure boot v2: RSA-3072 on the ESP32, ECDSA on later chips, up to three signature blocks. */
export const esp32V2Format: ImageFormat<EspSignOptions, EspPolicy> = {
  name: 'esp32-v2',
  title: 'ESP32 secure boot v2 image',
  signs: true,
  detect: (bytes) =>
    bytes.length >= 2 * SECTOR_LENGTH &&
    bytes.length % SECTOR_LENGTH === 0 &&
    bytes[bytes.length - SECTOR_LENGTH] === BLOCK_MAGIC,
  inspect(bytes) {
    const { covered, blocks } = decodeSignedImage(bytes);
    return [fact('image', 'size', String(covered.length)), ...appFacts(covered), ...blocks.flatMap(blockFacts)];
  },
  recipients: () => [],
  prepare(payload, options, publicKeySpki) {
    const key = espPublicKey(publicKeySpki);
    const prepared = prepareSecureBootV2(payload, options, key);
    return {
      request: prepared,
      finish: (signature) => prepared.finish(signature),
      judge: (signature) => judgeV2(prepared.finish(signature), [key], {}),
    };
  },
  verifier(keys) {
    const trusted = keys.map(espPublicKey);
    return (bytes, policy = {}) => judgeV2(bytes, trusted, policy);
  },
};

/** ESP32 secure boot v1: superseded, so that images are verified but no longer made. */
export const esp32V1Format: ImageFormat<object, ImagePolicy> = {
  name: 'esp32-v1',
  title: 'ESP32 secure boot v1 image',
  signs: false,
  detect: () => false,
  inspect: (bytes) => [fact('image', 'size', String(bytes.length)), ...appFacts(bytes)],
  recipients: () => [],
  prepare: () => {
    throw new HoldfastError('boot.unsupported_operation', { format: 'esp32-v1', operation: 'sign' });
  },
  verifier(keys) {
    const trusted = keys.map(espV1Key);
    return (bytes, { minCounter } = {}) =>
      verdictOf(() => {
        const { image, key } = judgeSecureBootV1(bytes, trusted);
        if (minCounter !== undefined) throw new HoldfastError('boot.counter_missing', { minCounter });
        return accepted({
          bytes,
          payload: image,
          digest: sha256(image),
          keyDigest: key.digest,
          spki: key.spki,
        });
      });
  },
};

function judgeV2(bytes: Uint8Array, keys: readonly ReturnType<typeof espPublicKey>[], policy: EspPolicy): ImageVerdict {
  return verdictOf(() => {
    const { covered, digest, key, app } = judgeSecureBootV2(bytes, keys, policy);
    const { version, secureVersion } = app?.descriptor ?? {};
    return accepted({
      bytes,
      payload: covered,
      digest,
      keyDigest: key.digest,
      spki: key.spki,
      version,
      securityCounter: secureVersion,
    });
  });
}

function appFacts(bytes: Uint8Array): ImageFact[] {
  if (!isEspAppImage(bytes)) return [];
  const { chipId, segments, descriptor } = decodeEspAppImage(bytes);
  const facts = [
    fact('app', 'chip', ESP_CHIPS.get(chipId) ?? `0x${chipId.toString(16)}`),
    ...segments.map(({ address, data }) =>
      fact('app', 'segment', `0x${address.toString(16).padStart(8, '0')} ${data.length}`),
    ),
  ];
  if (descriptor === undefined) return facts;
  const { secureVersion, version, project, idfVersion } = descriptor;
  return [
    ...facts,
    fact('app', 'secure version', String(secureVersion)),
    fact('app', 'version', version),
    fact('app', 'project', project),
    fact('app', 'ESP-IDF', idfVersion),
  ];
}

function blockFacts({ scheme, imageDigest, key }: EspSignatureBlock, index: number): ImageFact[] {
  const part = `block ${index}`;
  return [
    fact(part, 'scheme', scheme),
    fact(part, 'image digest', encodeHex(imageDigest)),
    fact(part, 'key digest', encodeHex(sha256(key))),
  ];
}
