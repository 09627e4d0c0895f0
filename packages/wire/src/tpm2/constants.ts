/** TPM_ALG_ID (TCG Algorithm Registry 1.32, table 3). */
export const TPM_ALG = {
  rsa: 0x0001,
  sha1: 0x0004,
  aes: 0x0006,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  null: 0x0010,
  rsassa: 0x0014,
  rsapss: 0x0016,
  ecdsa: 0x0018,
  ecc: 0x0023,
  cfb: 0x0043,
} as const;

/** Hashes we compute with: by name, their algorithm id and digest size. */
export const TPM_HASHES = {
  sha256: { id: TPM_ALG.sha256, size: 32 },
  sha384: { id: TPM_ALG.sha384, size: 48 },
  sha512: { id: TPM_ALG.sha512, size: 64 },
} as const;

export type TpmHash = keyof typeof TPM_HASHES;

const NAMES = Object.keys(TPM_HASHES) as TpmHash[];

/** Undefined for hashes outside the table; SHA-1 is outside. */
export function tpmHashOf(id: number): TpmHash | undefined {
  return NAMES.find((name) => TPM_HASHES[name].id === id);
}

/** TPM_ECC_CURVE (TCG Algorithm Registry 1.32, table 4). */
export const TPM_CURVES = {
  'P-256': { id: 0x0003, size: 32 },
  'P-384': { id: 0x0004, size: 48 },
  'P-521': { id: 0x0005, size: 66 },
} as const;

export type TpmCurve = keyof typeof TPM_CURVES;

/** TPMA_OBJECT bits (TPM 2.0 part 2, 8.3). */
export const TPM_OBJECT = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  adminWithPolicy: 1 << 7,
  noDictionaryAttacks: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;

/** Permanent handles and handle ranges (TPM 2.0 part 2, 7.4-7.5). */
export const TPM_HANDLE = {
  owner: 0x40000001,
  null: 0x40000007,
  password: 0x40000009,
  endorsement: 0x4000000b,
} as const;

/** Where makers put EK certificates (TCG EK Credential Profile 2.5, 2.2.1.4), low and high range. */
export const EK_CERTIFICATES = [
  { index: 0x01c0000a, key: 'P-256' },
  { index: 0x01c00002, key: 'rsa-2048' },
  { index: 0x01c00014, key: 'P-256' },
  { index: 0x01c00012, key: 'rsa-2048' },
] as const;

/** TPM_GENERATED_VALUE: opens every structure a restricted key signs, and nothing else it signs. */
export const TPM_GENERATED = 0xff544347;
