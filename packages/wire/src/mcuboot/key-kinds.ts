import { MCUBOOT_TLV } from './constants.ts';

export type McubootHash = 'sha256' | 'sha384' | 'sha512';
export type McubootKeyKind = 'rsa-2048' | 'rsa-3072' | 'ecdsa-p256' | 'ecdsa-p384' | 'ed25519';

/** How one kind of key signs an image. */
export interface McubootKeyRule {
  readonly signatureTlv: number;
  /** Hashes the format allows with this key; the first is what a signer uses. */
  readonly hashes: readonly McubootHash[];
  /** Exact signature length in bytes; ECDSA signatures are DER and vary. */
  readonly signatureLength?: number;
  /** What MCUboot before 1.5 expected an ECDSA signature to be padded to with zeros. */
  readonly paddedLength?: number;
  /** Longest DER signature in bytes. */
  readonly derLimit?: number;
  /** Name in the arrays that builds of the boot code compile in (imgtool getpub). */
  readonly exportName: string;
}

/** @see imgtool image.py, ALLOWED_KEY_SHA; keys/*.py, sig_tlv and shortname */
export const MCUBOOT_KEY_RULES: Readonly<Record<McubootKeyKind, McubootKeyRule>> = {
  'rsa-2048': { signatureTlv: MCUBOOT_TLV.rsa2048, hashes: ['sha256'], signatureLength: 256, exportName: 'rsa' },
  'rsa-3072': { signatureTlv: MCUBOOT_TLV.rsa3072, hashes: ['sha256'], signatureLength: 384, exportName: 'rsa' },
  'ecdsa-p256': {
    signatureTlv: MCUBOOT_TLV.ecdsa,
    hashes: ['sha256'],
    paddedLength: 72,
    derLimit: 72,
    exportName: 'ecdsa',
  },
  'ecdsa-p384': {
    signatureTlv: MCUBOOT_TLV.ecdsa,
    hashes: ['sha384'],
    paddedLength: 103,
    derLimit: 104,
    exportName: 'ecdsap384',
  },
  ed25519: {
    signatureTlv: MCUBOOT_TLV.ed25519,
    hashes: ['sha256', 'sha512'],
    signatureLength: 64,
    exportName: 'ed25519',
  },
};

/** The hash of a pure Ed25519 image; the signature itself covers the image, not this digest. */
export const PURE_HASH: McubootHash = 'sha512';

export const HASH_TLV: Readonly<Record<McubootHash, number>> = {
  sha256: MCUBOOT_TLV.sha256,
  sha384: MCUBOOT_TLV.sha384,
  sha512: MCUBOOT_TLV.sha512,
};

export const SIGNATURE_TLVS: readonly number[] = [
  MCUBOOT_TLV.rsa2048,
  MCUBOOT_TLV.rsa3072,
  MCUBOOT_TLV.ecdsa,
  MCUBOOT_TLV.ed25519,
];

export const ENCRYPTION_TLVS: readonly number[] = [
  MCUBOOT_TLV.encRsa2048,
  MCUBOOT_TLV.encKw,
  MCUBOOT_TLV.encEc256,
  MCUBOOT_TLV.encX25519,
  MCUBOOT_TLV.encX25519Sha512,
];
