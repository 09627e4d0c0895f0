/** First word of an MCUboot image; 0x96f3b83c is the retired version 1. */
export const MCUBOOT_MAGIC = 0x96f3b83d;
export const MCUBOOT_HEADER_LENGTH = 32;
export const PROTECTED_AREA_MAGIC = 0x6908;
export const UNPROTECTED_AREA_MAGIC = 0x6907;
/** Bytes of an area's info header and of an entry's header. */
export const TLV_HEADER_LENGTH = 4;

/** Header flags (MCUboot boot/bootutil/include/bootutil/image.h). */
export const MCUBOOT_FLAG = {
  pic: 0x1,
  aes128: 0x4,
  aes256: 0x8,
  nonBootable: 0x10,
  ramLoad: 0x20,
  romFixed: 0x100,
  lzma1: 0x200,
  lzma2: 0x400,
  armThumbFilter: 0x800,
} as const;

/** TLV types (the same file). */
export const MCUBOOT_TLV = {
  keyHash: 0x01,
  publicKey: 0x02,
  sha256: 0x10,
  sha384: 0x11,
  sha512: 0x12,
  rsa2048: 0x20,
  ecdsa: 0x22,
  rsa3072: 0x23,
  ed25519: 0x24,
  pure: 0x25,
  encRsa2048: 0x30,
  encKw: 0x31,
  encEc256: 0x32,
  encX25519: 0x33,
  encX25519Sha512: 0x34,
  dependency: 0x40,
  securityCounter: 0x50,
  bootRecord: 0x60,
  decompSize: 0x70,
  decompSha: 0x71,
  decompSignature: 0x72,
  compDecSize: 0x73,
  vendorId: 0x74,
  classId: 0x75,
} as const;

/** What the format says about one TLV type: where it stands, its lengths in bytes, whether it may repeat. */
export interface TlvRule {
  readonly name: string;
  readonly area: 'protected' | 'unprotected';
  readonly lengths?: readonly number[];
  readonly repeats?: true;
}

const HASH_LENGTHS = [32, 48, 64];

/**
 * Every known type. A type in the wrong area is refused: an unsigned counter, dependency or boot record is
 * CVE-2024-32883, and a hash shorter than its digest let old bytes through (MCUboot pull request 2802).
 */
export const TLV_RULES: ReadonlyMap<number, TlvRule> = new Map<number, TlvRule>([
  [MCUBOOT_TLV.keyHash, { name: 'KEYHASH', area: 'unprotected', lengths: HASH_LENGTHS }],
  [MCUBOOT_TLV.publicKey, { name: 'PUBKEY', area: 'unprotected' }],
  [MCUBOOT_TLV.sha256, { name: 'SHA256', area: 'unprotected', lengths: [32] }],
  [MCUBOOT_TLV.sha384, { name: 'SHA384', area: 'unprotected', lengths: [48] }],
  [MCUBOOT_TLV.sha512, { name: 'SHA512', area: 'unprotected', lengths: [64] }],
  [MCUBOOT_TLV.rsa2048, { name: 'RSA2048_PSS', area: 'unprotected', lengths: [256] }],
  [MCUBOOT_TLV.ecdsa, { name: 'ECDSA_SIG', area: 'unprotected' }],
  [MCUBOOT_TLV.rsa3072, { name: 'RSA3072_PSS', area: 'unprotected', lengths: [384] }],
  [MCUBOOT_TLV.ed25519, { name: 'ED25519', area: 'unprotected', lengths: [64] }],
  [MCUBOOT_TLV.pure, { name: 'SIG_PURE', area: 'unprotected', lengths: [1] }],
  [MCUBOOT_TLV.encRsa2048, { name: 'ENC_RSA2048', area: 'unprotected', lengths: [256] }],
  [MCUBOOT_TLV.encKw, { name: 'ENC_KW', area: 'unprotected', lengths: [24, 40] }],
  [MCUBOOT_TLV.encEc256, { name: 'ENC_EC256', area: 'unprotected', lengths: [113, 129] }],
  [MCUBOOT_TLV.encX25519, { name: 'ENC_X25519', area: 'unprotected', lengths: [80, 96] }],
  [MCUBOOT_TLV.encX25519Sha512, { name: 'ENC_X25519_SHA512', area: 'unprotected', lengths: [112, 128] }],
  [MCUBOOT_TLV.dependency, { name: 'DEPENDENCY', area: 'protected', lengths: [12], repeats: true }],
  [MCUBOOT_TLV.securityCounter, { name: 'SEC_CNT', area: 'protected', lengths: [4] }],
  [MCUBOOT_TLV.bootRecord, { name: 'BOOT_RECORD', area: 'protected' }],
  [MCUBOOT_TLV.decompSize, { name: 'DECOMP_SIZE', area: 'protected', lengths: [4] }],
  [MCUBOOT_TLV.decompSha, { name: 'DECOMP_SHA', area: 'protected', lengths: HASH_LENGTHS }],
  [MCUBOOT_TLV.decompSignature, { name: 'DECOMP_SIGNATURE', area: 'protected' }],
  [MCUBOOT_TLV.compDecSize, { name: 'COMP_DEC_SIZE', area: 'protected', lengths: [4] }],
  [MCUBOOT_TLV.vendorId, { name: 'UUID_VID', area: 'protected', lengths: [16] }],
  [MCUBOOT_TLV.classId, { name: 'UUID_CID', area: 'protected', lengths: [16] }],
]);

/** Vendor types, protected area only (imgtool TLV_VENDOR_RES_MIN and _MAX). */
export const VENDOR_TLV = { first: 0x00a0, last: 0xfffe } as const;
