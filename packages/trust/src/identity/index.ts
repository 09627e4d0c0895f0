export { Campaigns, type CampaignsPorts, type CampaignWish } from './campaigns.ts';
export type { AuthorityKeys } from './authority-keys.ts';
export type { AuthorityOptions, AuthorityPorts } from './authority-founding.ts';
export {
  type AuthorityChain,
  type AuthorityRequest,
  type CeremonyPorts,
  makeRoot,
  type OfflineRoot,
  readChain,
  readRequest,
  signAuthority,
  writeChain,
} from './ceremony.ts';
export { type BulkRegistered, BulkRegistration, type BulkRegistrationPorts } from './bulk-registration.ts';
export { CertificateAuthority, type CertificateOrder } from './certificate-authority.ts';
export { isLive } from './certificate-states.ts';
export {
  Claims,
  type ClaimsPorts,
  type ClaimStanding,
  claimStanding,
  type ClaimWish,
  type CreatedClaim,
} from './claims.ts';
export {
  CLONE_TRAP_LIMITS,
  CloneTrap,
  type CloneTrapLimits,
  type CloneTrapPorts,
  type QuarantineFinding,
} from './clone-trap.ts';
export type {
  CertificateWish,
  ConnectionPlace,
  DirectEnrollment,
  EnrollmentContext,
  EnrollmentDoor,
  Newcomers,
  PeerIdentifier,
  PeerVerdict,
  PendingCertificate,
  PresentedChain,
  Registration,
  RegistrationWish,
  ServerKeyDoor,
  Takeover,
  TakeoverWatch,
} from './contracts.ts';
export { EnrollmentApprovals, type EnrollmentApprovalsPorts } from './enrollment-approvals.ts';
export { Enrollment, type EnrollmentPorts } from './enrollment.ts';
export { CLAIM_RULES, KEY_RULES, REGISTRATION_RULES } from './enrollment-policy.ts';
export { onFreshRead } from './fresh-read.ts';
export { Decommission, type DecommissionPorts, type DestructionProof } from './decommission.ts';
export { DEVICE_LIFECYCLE, type DeviceEvent } from './lifecycle.ts';
export { claimUri, deviceUri } from './names.ts';
export {
  type Credentials,
  LOST_ANSWER_MS,
  type MintedPassword,
  OneTimePasswords,
  type OneTimePasswordsPorts,
  type PasswordVerdict,
  type PasswordWish,
} from './one-time-passwords.ts';
export {
  OCSP_ANSWER_LIFE_MS,
  type OcspAnswer,
  OcspResponder,
  type OcspResponderPorts,
} from './ocsp-responder.ts';
export { OcspSigner, type OcspSignerHealth, type OcspSignerPorts } from './ocsp-signer.ts';
export {
  type CertifiedOperator,
  Operators,
  type OperatorsPorts,
  type OperatorWish,
  roleSuffices,
} from './operators.ts';
export { HookSecrets, type HookSecretsPorts } from './hook-secrets.ts';
export {
  type Activation,
  type ActivationWish,
  JitRegistration,
  type JitRegistrationPorts,
} from './jit-registration.ts';
export { JIT_RULES } from './jit-policy.ts';
export {
  type ManufacturerDetail,
  Manufacturers,
  type ManufacturersPorts,
  type ManufacturerWish,
} from './manufacturers.ts';
export { PeerIdentity, type PeerIdentityPorts } from './peer-identity.ts';
export { Ratchet, type RatchetPorts, type RatchetUse } from './ratchet.ts';
export { RefusalPace } from './refusal-pace.ts';
export {
  IMPORT_RULES,
  type ImportOutcome,
  type ImportRow,
  RegistryImport,
  type RegistryImportPorts,
} from './registry-import.ts';
export { type EstablishWish, Registry, type RegistryActor, type RegistryPorts } from './registry.ts';
export { type OverdueRenewals, RenewalWatch, type RenewalWatchPorts } from './renewal-watch.ts';
export {
  MassRevocation,
  type MassRevocationOutcome,
  type MassRevocationPorts,
  type RevocationPreview,
  type RevocationTarget,
} from './revocation-mass.ts';
export { Revocation, type RevocationOutcome, type RevocationPorts } from './revocation.ts';
export {
  REVOCATION_LIST_LIMITS,
  RevocationList,
  type RevocationListHealth,
  type RevocationListLimits,
  type RevocationListPorts,
} from './revocation-list.ts';
export type { ServerCredential } from './server-credential.ts';
export {
  type CredentialKeeper,
  ServerIdentity,
  type ServerIdentityPorts,
} from './server-identity.ts';
export {
  type KeptTemplate,
  type TemplateChange,
  Templates,
  type TemplatesPorts,
  type TemplateWish,
} from './templates.ts';
export {
  type TpmContext,
  TpmEnrollment,
  type TpmEnrollmentPorts,
} from './tpm-enrollment.ts';
export { TPM_RULES } from './tpm-facts.ts';
export { TpmTrust, type TpmTrustPorts } from './tpm-trust.ts';
