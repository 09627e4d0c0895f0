import {
  judgeNrf5Package,
  judgeNsibImage,
  nordicPublicKey,
  type NordicPublicKey,
  type Nrf5Policy,
  type Nrf5SignOptions,
  type NsibPolicy,
  type NsibSignOptions,
  prepareNrf5Package,
  prepareNsibImage,
} from '@holdfast/crypto';
import { encodeHex } from '@holdfast/kernel';
import {
  decodeNrf5Package,
  decodeNsibImage,
  hasNsibFirmwareInfo,
  isZip,
  type Nrf5Firmware,
} from '@holdfast/wire/nordic';
import type { ImageFact, ImageFormat, ImageVerdict } from './image-format.ts';
import { accepted, fact, hex32, verdictOf } from './verdict.ts';

/** Packages of the nRF5 SDK's Secure DFU bootloaders. */
export const nrf5DfuFormat: ImageFormat<Nrf5SignOptions, Nrf5Policy> = {
  name: 'nrf5-dfu',
  title: 'nRF5 Secure DFU package',
  signs: true,
  detect: isZip,
  inspect: (bytes) => decodeNrf5Package(bytes).flatMap(firmwareFacts),
  recipients: () => [],
  prepare(payload, options, publicKeySpki) {
    const key = nordicPublicKey(publicKeySpki);
    const prepared = prepareNrf5Package(payload, options);
    return {
      request: prepared,
      finish: (signature) => prepared.finish(signature),
      judge: (signature) => judgeNrf5(prepared.finish(signature), [key], {}),
    };
  },
  verifier(keys) {
    const trusted = keys.map(nordicPublicKey);
    return (bytes, policy = {}) => judgeNrf5(bytes, trusted, policy);
  },
};

/** Images for the immutable bootloader of the nRF Connect SDK. */
export const nsibFormat: ImageFormat<NsibSignOptions, NsibPolicy> = {
  name: 'nsib',
  title: 'nRF Connect immutable bootloader image',
  signs: true,
  detect: hasNsibFirmwareInfo,
  inspect: inspectNsib,
  recipients: () => [],
  prepare(payload, options, publicKeySpki) {
    const key = nordicPublicKey(publicKeySpki);
    const prepared = prepareNsibImage(payload, options, key);
    return {
      request: prepared,
      finish: (signature) => prepared.finish(signature),
      judge: (signature) => judgeNsib(prepared.finish(signature), [key], {}),
    };
  },
  verifier(keys) {
    const trusted = keys.map(nordicPublicKey);
    return (bytes, policy = {}) => judgeNsib(bytes, trusted, policy);
  },
};

function judgeNrf5(bytes: Uint8Array, keys: readonly NordicPublicKey[], policy: Nrf5Policy): ImageVerdict {
  return verdictOf(() => {
    const { main, key } = judgeNrf5Package(bytes, keys, policy);
    const { hash, firmwareVersion } = main.packet.command;
    return accepted({
      bytes,
      payload: main.image,
      digest: hash,
      keyDigest: key.digest,
      spki: key.key.spki,
      version: String(firmwareVersion),
      securityCounter: firmwareVersion,
    });
  });
}

function judgeNsib(bytes: Uint8Array, keys: readonly NordicPublicKey[], policy: NsibPolicy): ImageVerdict {
  return verdictOf(() => {
    const { info, firmware, validation, key } = judgeNsibImage(bytes, keys, policy);
    return accepted({
      bytes,
      payload: firmware,
      digest: validation.digest,
      keyDigest: key.digest,
      spki: key.key.spki,
      version: String(info.version),
      securityCounter: info.version,
    });
  });
}

function firmwareFacts({ packet, image }: Nrf5Firmware): ImageFact[] {
  const { command, signature } = packet;
  const part = command.type;
  return [
    fact(part, 'firmware version', command.firmwareVersion),
    fact(part, 'hardware version', command.hardwareVersion),
    fact(part, 'SoftDevices', command.softdevices.map((id) => `0x${id.toString(16).padStart(4, '0')}`).join(' ')),
    fact(part, 'size', image.length),
    fact(part, 'SHA-256', encodeHex(command.hash)),
    fact(part, 'debug', command.isDebug ? 'yes' : 'no'),
    ...command.bootValidations.map(({ type }) => fact(part, 'boot validation', type)),
    fact(part, 'signature', signature === undefined ? 'none' : encodeHex(signature)),
  ];
}

function inspectNsib(bytes: Uint8Array): ImageFact[] {
  const { info, validation } = decodeNsibImage(bytes);
  return [
    fact('firmware', 'version', info.version),
    fact('firmware', 'address', hex32(info.address)),
    fact('firmware', 'boot address', hex32(info.bootAddress)),
    fact('firmware', 'size', info.size),
    fact('firmware', 'hardware id', info.hardwareId),
    fact('validation', 'SHA-256', encodeHex(validation.digest)),
    fact('validation', 'public key', encodeHex(validation.publicKey)),
    fact('validation', 'signature', encodeHex(validation.signature)),
  ];
}
