import { HoldfastError } from '@holdfast/kernel';
import {
  type CertificationRequestInfo,
  decodeCertificationRequest,
  encodeCertificationRequestInfo,
  encodeExtension,
  encodeGeneralNames,
  encodeName,
  encodeSigned,
  type GeneralName,
  type NamePart,
  OID,
} from '@holdfast/wire/x509';
import { encodeSignatureAlgorithm, signatureAlgorithmOf } from '../keys/algorithms.ts';
import { importAnyPublicKey, type PublicKey } from '../keys/public-key.ts';
import type { Signer } from '../keys/signer.ts';
import { verifySignatureAsync } from '../keys/verify.ts';

/** A request whose sender holds the private key. Everything else in it is a wish: policy takes `publicKey` alone. */
export interface CertificationRequest {
  /** Its `weakness` is for policy to refuse. */
  readonly publicKey: PublicKey;
  readonly info: CertificationRequestInfo;
  /** Whether the request asks to become an authority. */
  readonly asksForAuthority: boolean;
  /** The names the request asks for beside its subject. */
  readonly requestedNames: readonly GeneralName[];
}

/**
 * Decodes a PKCS #10 request and checks its proof of possession.
 *
 * @param der - at most 16 KiB.
 * @throws `wire.*` for a broken form; `crypto.bad_key` for a key that is none;
 * `crypto.unsupported_algorithm` for a signature by SHA-1, MD5 or an algorithm the key cannot make;
 * `crypto.bad_signature` when possession is not proved.
 */
export async function verifyCsr(der: Uint8Array): Promise<CertificationRequest> {
  const info = decodeCertificationRequest(der);
  const publicKey = importAnyPublicKey(info.spki);
  const algorithm = signatureAlgorithmOf(info.signatureAlgorithm, publicKey.kind);
  if (algorithm === undefined) {
    throw new HoldfastError('crypto.unsupported_algorithm', { oid: info.signatureAlgorithm.oid });
  }
  if (!(await verifySignatureAsync(algorithm, publicKey, info.tbs, info.signature))) {
    throw new HoldfastError('crypto.bad_signature', { field: 'csr' });
  }
  const { basicConstraints, keyUsage, subjectAltName = [] } = info.requested;
  const asksForAuthority = basicConstraints?.ca === true || keyUsage?.has('keyCertSign') === true;
  return { publicKey, info, asksForAuthority, requestedNames: subjectAltName };
}

/** Makes a PKCS #10 request, as a device does. */
export async function createCsr(
  input: {
    readonly subject: readonly NamePart[];
    readonly subjectAltName?: readonly GeneralName[];
    readonly challengePassword?: string;
    /** Whom a key that the server makes is to be encrypted for. */
    readonly asymmetricDecryptKeyId?: Uint8Array;
  },
  signer: Signer,
): Promise<Uint8Array<ArrayBuffer>> {
  const { subjectAltName = [], challengePassword, asymmetricDecryptKeyId } = input;
  const tbs = encodeCertificationRequestInfo({
    subject: encodeName(input.subject),
    spki: signer.publicKeySpki,
    extensions:
      subjectAltName.length === 0
        ? []
        : [encodeExtension(OID.subjectAltName, false, encodeGeneralNames(subjectAltName))],
    ...(challengePassword === undefined ? {} : { challengePassword }),
    ...(asymmetricDecryptKeyId === undefined ? {} : { asymmetricDecryptKeyId }),
  });
  return encodeSigned(tbs, encodeSignatureAlgorithm(signer.algorithm), await signer.sign(tbs));
}
