export { type AlgorithmIdentifier, encodeAlgorithm, readAlgorithm } from './algorithm.ts';
export {
  type Certificate,
  decodeCertificate,
  encodeSigned,
  encodeTbsCertificate,
  serialHex,
  type TbsCertificateInput,
  type Validity,
} from './certificate.ts';
export {
  type CertificateList,
  decodeCrl,
  encodeRevokedEntry,
  encodeTbsCrl,
  REASON_CODES,
  type RevocationReason,
  type RevokedEntry,
  type TbsCrlInput,
} from './crl.ts';
export {
  DICE_MODES,
  decodeMultiTcbInfo,
  decodeOpenDiceInput,
  decodeTcbInfo,
  type DiceMode,
  encodeOpenDiceInput,
  encodeTcbInfo,
  type Fwid,
  type OpenDiceInput,
  type TcbInfo,
} from './dice.ts';
export {
  decodeCrlDistributionPoints,
  decodeIssuingDistributionPoint,
  type DistributionPoint,
  encodeCrlDistributionPoints,
  encodeIssuingDistributionPoint,
  type IssuingDistributionPoint,
} from './distribution-point.ts';
export { encodeExtension, type Extension, readExtensions } from './extension.ts';
export {
  type AccessDescription,
  type AuthorityKeyIdentifier,
  type BasicConstraints,
  decodeAccessDescriptions,
  decodeAuthorityKeyIdentifier,
  decodeBasicConstraints,
  decodeCertificatePolicies,
  decodeExtKeyUsage,
  decodeGeneralNames,
  decodeKeyUsage,
  decodeNameConstraints,
  encodeAccessDescriptions,
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeCertificatePolicies,
  encodeExtKeyUsage,
  encodeGeneralNames,
  encodeKeyUsage,
  encodeNameConstraints,
  encodeSubjectKeyIdentifier,
  type KeyUsage,
  type NameConstraints,
} from './extension-values.ts';
export { encodeGeneralName, type GeneralName, readGeneralName } from './general-name.ts';
export { decodeKnownExtensions, type KnownExtensions } from './known-extensions.ts';
export {
  attributeTexts,
  decodeName,
  encodeName,
  type Name,
  type NameAttribute,
  type NameAttributeType,
  type NamePart,
  nameText,
  normalizedName,
  normalizedRdns,
} from './name.ts';
export {
  decodeOcspRequest,
  encodeOcspCertId,
  encodeOcspRequest,
  type OcspCertId,
  type OcspRequest,
} from './ocsp-request.ts';
export {
  decodeOcspResponse,
  encodeOcspError,
  encodeOcspResponse,
  encodeOcspResponseData,
  OCSP_ERRORS,
  type OcspCertStatus,
  type OcspError,
  type OcspResponse,
  type OcspResponseDataInput,
  type OcspSingleResponse,
} from './ocsp-response.ts';
export { OID } from './oids.ts';
export {
  decodePrivateKeyInfo,
  encodeAsymmetricKeyPackage,
  encodePrivateKeyInfo,
  type PrivateKeyInfo,
} from './private-key.ts';
export { type CertificateProfile, type ProfileRow, PROFILES } from './profiles.ts';
export {
  decodeRsaPublicKey,
  decodeSpki,
  encodeEcSpki,
  encodeEdwardsSpki,
  encodeRsaPublicKey,
  encodeRsaSpki,
  type PublicKeyKind,
  publicKeyKind,
  readSpki,
  type RsaPublicKey,
  type SubjectPublicKeyInfo,
} from './public-key.ts';
export {
  type CertificationRequestInfo,
  decodeCertificationRequest,
  encodeCertificationRequestInfo,
} from './request.ts';
export {
  type CertificateTemplate,
  encodeFromTemplate,
  prepareTemplate,
  type TemplateFields,
  type TemplateInput,
} from './template.ts';
