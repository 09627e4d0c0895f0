export {
  type DssePolicy,
  type DsseVerdict,
  keyIdOf,
  signDsse,
  type TrustedKey,
  verifyDsse,
} from './dsse/verify.ts';
export type { SealContext } from './envelope/context.ts';
export { type KeyEncryptionKey, type KeyLookup, localKey } from './envelope/key.ts';
export { openRecord, rewrapRecord, sealedUnder, sealRecord } from './envelope/record.ts';
export {
  openStream,
  type PlainRange,
  rewrapStreamHead,
  SealedReader,
  type SealedSource,
  sealStream,
} from './envelope/stream.ts';
export {
  type CertificateFields,
  type Issuance,
  type IssuanceInput,
  issueCertificate,
  issueFrom,
  newSerial,
  NO_EXPIRY,
  prepareIssuance,
  subjectKeyIdentifier,
  validityFor,
  type ValidityInput,
} from './issuance/certificate.ts';
export { type CertificationRequest, createCsr, verifyCsr } from './issuance/request.ts';
export {
  type CrlInput,
  issueCrl,
  issueOcspResponse,
  OcspIssuer,
  type OcspResponseInput,
} from './issuance/revocation.ts';
export * from './esp32/index.ts';
export * from './evidence/index.ts';
export { exportEncryptedPem, importEncryptedPem } from './keys/encrypted-private-key.ts';
export { agreeSecret, decryptOaep, encryptOaep, type OaepOptions } from './keys/agreement.ts';
export {
  algorithmFits,
  defaultAlgorithm,
  encodeSignatureAlgorithm,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
  signatureAlgorithmOf,
} from './keys/algorithms.ts';
export { ecdsaFromDer, ecdsaToDer } from './keys/ecdsa-encoding.ts';
export {
  generatePrivateKey,
  importPrivateKey,
  importPrivateKeyPem,
  type KeyKind,
  PrivateKey,
} from './keys/private-key.ts';
export { importAnyPublicKey, importPublicKey, importPublicKeyPem, type PublicKey } from './keys/public-key.ts';
export { createSigner, type Signer } from './keys/signer.ts';
export { type EcdsaEncoding, verifySignature, verifySignatureAsync } from './keys/verify.ts';
export { keyWeakness, type KeyWeakness } from './keys/weakness.ts';
export * from './mcuboot/index.ts';
export * from './nordic/index.ts';
export * from './nxp/index.ts';
export * from './pkcs12/index.ts';
export * from './psoc64/index.ts';
export * from './rauc/index.ts';
export * from './suit/index.ts';
export * from './swupdate/index.ts';
export * from './tpm2/index.ts';
export * from './cms/index.ts';
export {
  type ByteRange,
  type ByteSource,
  readFromBytes,
  readFromSource,
  type Reading,
} from './primitives/byte-source.ts';
export {
  dnsNameMatches,
  ipAddressText,
  isHostName,
  isMailbox,
  isPresentedDnsName,
  parseIpAddress,
} from './path/host-names.ts';
export { certificateRefusal, type CertificateRefusal } from './path/certificate-rules.ts';
export { namesPeer, type PeerName } from './path/peer-name.ts';
export { revocationStatus, type RevocationVerdict } from './path/revocation.ts';
export {
  MAX_PATH,
  type PathInput,
  type PathRefusal,
  type PathVerdict,
  VALIDATION_BUDGET,
  validatePath,
} from './path/validate.ts';
export { type AeadInput, GCM_NONCE, GCM_TAG, openAesGcm, sealAesGcm } from './primitives/aead.ts';
export {
  createDigest,
  digest,
  digestStream,
  fingerprint,
  HASH_LENGTHS,
  type HashAlgorithm,
  hkdf,
  type HkdfInput,
  hmac,
  sha1Identifier,
  sha256,
  type StreamingDigest,
  timingSafeEqual,
} from './primitives/hash.ts';
export { type KeyWrapMode, unwrapKey, wrapKey } from './primitives/key-wrap.ts';
export { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './transparency/checkpoint.ts';
export { EMPTY_ROOT, leafHash, MerkleFrontier, merkleRoot, nodeHash } from './transparency/merkle.ts';
export {
  decodeNote,
  decodeNoteKey,
  encodeNoteKey,
  type NoteKey,
  noteKey,
  type NoteSignature,
  type NoteVerdict,
  type SignedNote,
  signNote,
  verifyNote,
} from './transparency/note.ts';
export {
  type ConsistencyClaim,
  consistencyProof,
  type InclusionClaim,
  inclusionProof,
  type SubtreeHash,
  subtreesOf,
  verifyConsistency,
  verifyInclusion,
} from './transparency/proofs.ts';
export * from './release/index.ts';
