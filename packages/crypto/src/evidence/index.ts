export {
  type DiceInputs,
  type DiceKey,
  type DiceSecrets,
  deriveDiceKey,
  deriveDiceSecrets,
  diceId,
} from './dice.ts';
export {
  issueAnchorCertificate,
  issueLayerCertificate,
  type LayerMeasurement,
  layerInputs,
} from './layer-certificate.ts';
export type { VerifiedLayer } from './layer-chain.ts';
export { type Attester, signEvidence } from './token.ts';
export {
  type EvidenceExpectation,
  type EvidenceRefusal,
  type EvidenceVerdict,
  type MeasuredEvidence,
  type RefusedEvidence,
  verifyEvidence,
} from './verify.ts';
