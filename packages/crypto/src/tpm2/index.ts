export {
  type AttestRefusal,
  isAttestationKey,
  isTpmSigningKey,
  type SignedAttest,
  tpmSignatureAlgorithm,
  verifyCertified,
} from './attestation.ts';
export { isEndorsementKey, makeCredential, openCredential } from './credential.ts';
export { tpmName, tpmSpki } from './names.ts';
export { QUOTE_BANK, type QuoteEvidence, type QuoteRefusal, type QuoteVerdict, verifyQuote } from './quote.ts';
export { eventsOf, extendPcr, initialPcr, type PcrBank, pcrDigest, replayEventLog } from './registers.ts';
export { signP256Digest } from './sign-digest.ts';
export { SoftwareTpm } from './software-tpm.ts';
