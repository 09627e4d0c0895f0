import {
  importPublicKey,
  isAttestationKey,
  isEndorsementKey,
  isTpmSigningKey,
  sha256,
  tpmSpki,
  validatePath,
  verifyCertified,
} from '@holdfast/crypto';
import { equalBytes, type ErrorCode, HoldfastError } from '@holdfast/kernel';
import {
  decodeTpmPublic,
  hasAttributes,
  TPM_OBJECT,
  type TpmEnrollmentRequest,
  type TpmPublic,
} from '@holdfast/wire/tpm2';
import { type Certificate, decodeCertificate, decodeCertificationRequest } from '@holdfast/wire/x509';

/** tcg-kp-EKCertificate (TCG EK Credential Profile 2.5, 3.2.16). */
const EK_PURPOSE = '2.23.133.8.1';

/** A request of a TPM, read. */
export interface TpmApplicant {
  readonly certificate: Certificate;
  readonly intermediates: readonly Certificate[];
  readonly endorsementKey: TpmPublic;
  readonly attestationKey: TpmPublic;
  readonly deviceKey: TpmPublic;
  readonly csr: Uint8Array;
  /** DER SubjectPublicKeyInfo in the request. */
  readonly csrSpki: Uint8Array;
  readonly certification: TpmEnrollmentRequest['certification'];
}

interface TpmRule {
  readonly rule: string;
  readonly attack: string;
  readonly code: ErrorCode;
  readonly broken: (applicant: TpmApplicant) => boolean;
}

/** What a TPM must show before it is sent a secret; the first row that is broken is the answer. */
export const TPM_RULES: readonly TpmRule[] = [
  {
    rule: 'key-of-the-certificate',
    attack: "another TPM's certificate shown beside an endorsement key that somebody holds in software",
    code: 'identity.tpm_endorsement',
    broken: ({ certificate, endorsementKey }) => !equalBytes(certificate.spki.raw, tpmSpki(endorsementKey)),
  },
  {
    rule: 'endorsement-key',
    attack: 'a key that is no endorsement key, which its holder may move or use for other things',
    code: 'identity.tpm_endorsement',
    broken: ({ endorsementKey }) => !isEndorsementKey(endorsementKey),
  },
  {
    rule: 'attestation-key',
    attack: 'an attestation key that signs a quote somebody wrote',
    code: 'identity.tpm_key_unfit',
    broken: ({ attestationKey }) => !isAttestationKey(attestationKey),
  },
  {
    rule: 'device-key',
    attack: 'a device key that can leave its TPM',
    code: 'identity.tpm_key_unfit',
    broken: ({ deviceKey }) => !isTpmSigningKey(deviceKey) || hasAttributes(deviceKey, TPM_OBJECT.restricted),
  },
  {
    rule: 'key-of-the-request',
    attack: 'a certificate for a software key under the name of a key in a TPM',
    code: 'identity.tpm_key_unfit',
    broken: ({ deviceKey, csrSpki }) => !equalBytes(tpmSpki(deviceKey), csrSpki),
  },
  {
    rule: 'certified',
    attack: 'a device key of another TPM, or a certification lifted from another request',
    code: 'identity.tpm_not_certified',
    broken: ({ certification, attestationKey, deviceKey, csr }) =>
      verifyCertified(certification, { attestationKey, object: deviceKey, data: sha256(csr) }).kind === 'refused',
  },
];

/** @throws `wire.*`, `crypto.bad_key` for what cannot be read */
export function readTpmApplicant(request: TpmEnrollmentRequest): TpmApplicant {
  const applicant = {
    certificate: decodeCertificate(request.endorsementCertificate),
    intermediates: request.intermediates.map((der) => decodeCertificate(der)),
    endorsementKey: decodeTpmPublic(request.endorsementKey),
    attestationKey: decodeTpmPublic(request.attestationKey),
    deviceKey: decodeTpmPublic(request.deviceKey),
    csr: request.csr,
    csrSpki: decodeCertificationRequest(request.csr).spki.raw,
    certification: request.certification,
  };
  // Where a point off its curve is found, before anything is computed with it.
  for (const area of [applicant.endorsementKey, applicant.attestationKey, applicant.deviceKey]) {
    importPublicKey(tpmSpki(area));
  }
  return applicant;
}

/** The authority whose certificates lead to this endorsement certificate. */
export function authorityOf<A extends { readonly der: Uint8Array }>(
  { certificate, intermediates }: TpmApplicant,
  authorities: readonly A[],
  now: number,
): A | undefined {
  return authorities.find(({ der }) => {
    const anchors = [decodeCertificate(der)];
    const verdict = validatePath({ leaf: certificate, intermediates, anchors, now, purpose: EK_PURPOSE });
    return verdict.kind === 'valid';
  });
}

export function demandTpm(applicant: TpmApplicant): void {
  const broken = TPM_RULES.find((each) => each.broken(applicant));
  if (broken !== undefined) throw new HoldfastError(broken.code, { rule: broken.rule });
}
