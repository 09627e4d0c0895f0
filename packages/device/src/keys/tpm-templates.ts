import { decodeHex } from '@holdfast/kernel';
import { TPM_OBJECT, type TpmPublic } from '@holdfast/wire/tpm2';

const { fixedTpm, fixedParent, sensitiveDataOrigin, userWithAuth, adminWithPolicy, noDictionaryAttacks } = TPM_OBJECT;
const { restricted, decrypt, sign } = TPM_OBJECT;
const NOTHING = new Uint8Array();
const MADE_INSIDE = fixedTpm | fixedParent | sensitiveDataOrigin;

/** PolicySecret(TPM_RH_ENDORSEMENT) as a SHA-256 policy: PolicyA of the EK Credential Profile, B.3. */
const POLICY_A = decodeHex('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa');

const P256 = {
  type: 'ecc',
  nameHash: 'sha256',
  authPolicy: NOTHING,
  curve: 'P-256',
  x: NOTHING,
  y: NOTHING,
} as const;

/** The storage key that other software finds under 0x81000001 as well (TCG TPM v2.0 Provisioning Guidance, 7.5.1). */
export const STORAGE_KEY: TpmPublic = {
  ...P256,
  attributes: MADE_INSIDE | userWithAuth | noDictionaryAttacks | restricted | decrypt,
  symmetric: { keyBits: 128 },
  scheme: { kind: 'any' },
};

/** Signs what the TPM itself says, nothing else. */
export const ATTESTATION_KEY: TpmPublic = {
  ...P256,
  attributes: MADE_INSIDE | userWithAuth | noDictionaryAttacks | restricted | sign,
  symmetric: undefined,
  scheme: { kind: 'ecdsa', hash: 'sha256' },
};

/** The device's own key. Its scheme is open, as the OpenSSL provider wants it for TLS. */
export const DEVICE_KEY: TpmPublic = {
  ...P256,
  attributes: MADE_INSIDE | userWithAuth | noDictionaryAttacks | sign,
  symmetric: undefined,
  scheme: { kind: 'any' },
};

/** Templates L-1 and L-2 of the EK Credential Profile, B.3: the same template gives the key the maker certified. */
export const ENDORSEMENT_KEYS: Readonly<Record<'rsa-2048' | 'P-256', TpmPublic>> = {
  'rsa-2048': {
    type: 'rsa',
    nameHash: 'sha256',
    attributes: MADE_INSIDE | adminWithPolicy | restricted | decrypt,
    authPolicy: POLICY_A,
    symmetric: { keyBits: 128 },
    scheme: { kind: 'any' },
    bits: 2048,
    modulus: new Uint8Array(256),
  },
  'P-256': {
    ...P256,
    attributes: MADE_INSIDE | adminWithPolicy | restricted | decrypt,
    authPolicy: POLICY_A,
    symmetric: { keyBits: 128 },
    scheme: { kind: 'any' },
    x: new Uint8Array(32),
    y: new Uint8Array(32),
  },
};
