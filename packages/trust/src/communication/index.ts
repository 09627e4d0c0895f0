export { POLICY_ACTIONS, type PolicyAction } from './actions.ts';
export {
  BUILTIN_PREFIX,
  CLAIM_POLICY,
  DENY_ALL_POLICY,
  DEVICE_POLICY,
  EMPTY_POLICY,
  PROOF_POLICY,
  RESTRICTED_POLICY,
} from './builtin-policies.ts';
export { certificateFacts } from './certificate-facts.ts';
export {
  CompiledPolicy,
  type Decision,
  type NamedPolicy,
  type PolicyLayer,
  type StatementRef,
} from './compiled-policy.ts';
export { Explainer, type ExplainerPorts, type Explanation, type PolicyQuestion } from './explainer.ts';
export { Policies, type PoliciesPorts } from './policies.ts';
export {
  type AdmittedPeer,
  type ConnectionFacts,
  PolicyAuthority,
  type PolicyAuthorityPorts,
} from './policy-authority.ts';
export type { CertificateFacts, PolicyContext, PolicyRequest } from './policy-context.ts';
export { POLICY_LIMITS, type PolicyDocument, type PolicyStatement, parsePolicyDocument } from './policy-document.ts';
export { type ArnScope, DEFAULT_ARN_SCOPE, type ResourceType } from './resource.ts';
export { type ConnectWish, Rights, type RightsLevel } from './rights.ts';
export type { ShadowDelta, ShadowDocument } from './shadow-document.ts';
export {
  type ShadowDeleted,
  type ShadowKey,
  type ShadowListener,
  Shadows,
  type ShadowsPorts,
  type ShadowUpdated,
  type ShadowView,
} from './shadows.ts';
