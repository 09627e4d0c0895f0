import {
  type AcceptedMcubootImage,
  type McubootPolicy,
  mcubootPublicKey,
  type McubootSignOptions,
  type McubootVerdict,
  type McubootEncryption,
  prepareMcubootImage,
  publishedTestKey,
  verifyMcubootImage,
} from '@holdfast/crypto';
import { ByteReader, encodeHex, HoldfastError } from '@holdfast/kernel';
import {
  decodeBootRecord,
  decodeMcubootImage,
  formatVersion,
  MCUBOOT_FLAG,
  MCUBOOT_MAGIC,
  MCUBOOT_TLV,
  type McubootImage,
  type McubootTlv,
  nameTlv,
  readDependencies,
  readSecurityCounter,
} from '@holdfast/wire/mcuboot';
import type { AcceptedImage, ImageFact, ImageFormat, ImageVerdict } from './image-format.ts';

/** Signed entry of PSoC 64 below the vendor range (cysecuretools signtool.py). */
const PSOC64_SLOT_ID = 0x81;

/** MCUboot images: nRF, STM32, LPC, PSoC 64 and many others. */
export const mcubootFormat: ImageFormat<McubootSignOptions, McubootPolicy> = {
  name: 'mcuboot',
  title: 'MCUboot image',
  signs: true,
  detect: (bytes) => bytes.length >= 4 && new ByteReader(bytes).u32le('ih_magic') === MCUBOOT_MAGIC,
  inspect: (bytes) => mcubootFacts(decodeMcubootImage(bytes, { vendorTypes: [PSOC64_SLOT_ID] })),
  recipients: ({ encryption }) => (encryption === undefined ? [] : recipientKeys(encryption)),
  prepare(payload, options, publicKeySpki) {
    const key = mcubootPublicKey(publicKeySpki);
    const prepared = prepareMcubootImage(payload, options, key);
    const policy: McubootPolicy = {
      clear: true,
      nonBootable: options.nonBootable === true,
      ...(options.vendorTypes === undefined ? {} : { vendorTypes: options.vendorTypes }),
      ...(prepared.securityCounter === undefined ? {} : { minCounter: prepared.securityCounter }),
    };
    return {
      request: prepared.request,
      finish: (signature) => prepared.finish(signature),
      judge: (signature) => toVerdict(verifyMcubootImage(prepared.finishClear(signature), [key], policy)),
    };
  },
  verifier(keys) {
    const trusted = keys.map((spki) => mcubootPublicKey(spki));
    return (bytes, policy = {}) => toVerdict(verifyMcubootImage(bytes, trusted, policy));
  },
};

function recipientKeys({ recipient }: McubootEncryption): Uint8Array[] {
  return recipient.type === 'public' ? [recipient.export({ type: 'spki', format: 'der' })] : [];
}

function toVerdict(verdict: McubootVerdict): ImageVerdict {
  return verdict.kind === 'refused' ? verdict : acceptedMcuboot(verdict);
}

/** An accepted image in the words that all formats share. */
export function acceptedMcuboot({
  image,
  payload,
  digest,
  key,
  hash,
  securityCounter,
}: AcceptedMcubootImage): AcceptedImage {
  return {
    kind: 'accepted',
    bytes: image.bytes,
    payload,
    digest: encodeHex(digest),
    keyId: encodeHex(key.hashes[hash]),
    version: formatVersion(image.header.version),
    securityCounter,
    testKey: publishedTestKey(key.key.spki),
  };
}

/** What a decoded image says about itself. */
export function mcubootFacts(image: McubootImage): ImageFact[] {
  const { header, trailer } = image;
  const facts: ImageFact[] = [
    fact('header', 'version', formatVersion(header.version)),
    fact('header', 'header size', String(header.headerSize)),
    fact('header', 'payload size', String(header.imageSize)),
    fact('header', 'protected area size', String(header.protectedSize)),
    fact('header', 'load address', hex32(header.loadAddress)),
    fact('header', 'flags', flagNames(header.flags)),
    ...image.protectedTlvs.map((tlv) => fact('protected', nameTlv(tlv.type), describeTlv(tlv))),
    ...image.unprotectedTlvs.map((tlv) => fact('unprotected', nameTlv(tlv.type), describeTlv(tlv))),
  ];
  if (trailer !== undefined) {
    facts.push(fact('trailer', 'alignment', String(trailer.align)));
    facts.push(fact('trailer', 'confirmed', trailer.confirmed ? 'yes' : 'no'));
  }
  return facts;
}

const DESCRIBE: ReadonlyMap<number, (tlv: McubootTlv) => string> = new Map([
  [MCUBOOT_TLV.securityCounter, (tlv) => String(readSecurityCounter([tlv]))],
  [MCUBOOT_TLV.dependency, describeDependency],
  [MCUBOOT_TLV.bootRecord, describeBootRecord],
]);

function describeTlv(tlv: McubootTlv): string {
  return DESCRIBE.get(tlv.type)?.(tlv) ?? encodeHex(tlv.value);
}

function describeDependency(tlv: McubootTlv): string {
  const wanted = readDependencies([tlv]).map(
    ({ imageId, version }) => `image ${imageId} at least ${formatVersion(version)}`,
  );
  return wanted.join(', ');
}

/** A boot record in another form than the signers write is shown as its bytes: boot code does not read it either. */
function describeBootRecord({ value }: McubootTlv): string {
  try {
    const { softwareType, version, hash } = decodeBootRecord(value);
    return `${softwareType} ${version} ${hash}`;
  } catch (error) {
    if (HoldfastError.is(error)) return encodeHex(value);
    throw error;
  }
}

function flagNames(flags: number): string {
  const names = Object.entries(MCUBOOT_FLAG).filter(([, flag]) => (flags & flag) !== 0);
  return names.length === 0 ? 'none' : names.map(([name]) => name).join(' ');
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

function fact(part: string, name: string, value: string): ImageFact {
  return { part, name, value };
}
