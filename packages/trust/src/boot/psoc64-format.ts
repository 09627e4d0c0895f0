import {
  judgePsoc64Image,
  mcubootPublicKey,
  type McubootPublicKey,
  preparePsoc64Image,
  PSOC64_IMAGE_ID_TLV,
  type Psoc64ImagePolicy,
  type Psoc64SignOptions,
} from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { decodeMcubootImage } from '@holdfast/wire/mcuboot';
import type { ImageFormat, ImageVerdict } from './image-format.ts';
import { acceptedMcuboot, mcubootFacts } from './mcuboot-format.ts';
import { verdictOf } from './verdict.ts';

/** MCUboot images as CyBootloader of PSoC 64 takes them; detected as `mcuboot`, since they begin alike. */
export const psoc64Format: ImageFormat<Psoc64SignOptions, Psoc64ImagePolicy> = {
  name: 'psoc64',
  title: 'PSoC 64 CyBootloader image',
  signs: true,
  detect: () => false,
  inspect: (bytes) =>
    mcubootFacts(decodeMcubootImage(bytes, { vendorTypes: [PSOC64_IMAGE_ID_TLV], headerFilling: true })),
  recipients: () => [],
  prepare(payload, options, publicKeySpki) {
    const key = mcubootPublicKey(publicKeySpki);
    const prepared = preparePsoc64Image(payload, options, key);
    const policy = { imageId: options.imageId, minCounter: options.rollbackCounter };
    return {
      request: prepared.request,
      finish: (signature) => prepared.finish(signature),
      judge: (signature) => judge(prepared.finish(signature), [key], policy),
    };
  },
  verifier(keys) {
    const trusted = keys.map((spki) => mcubootPublicKey(spki));
    if (trusted.some(({ kind }) => kind !== 'ecdsa-p256')) throw new HoldfastError('boot.unsupported_key');
    return (bytes, policy = {}) => judge(bytes, trusted, policy);
  },
};

function judge(bytes: Uint8Array, keys: readonly McubootPublicKey[], policy: Psoc64ImagePolicy): ImageVerdict {
  return verdictOf(() => acceptedMcuboot(judgePsoc64Image(bytes, keys, policy)));
}
