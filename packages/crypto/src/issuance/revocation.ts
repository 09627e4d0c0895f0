import { decodeHex, equalBytes, HoldfastError, type Random } from '@holdfast/kernel';
import {
  type Certificate,
  encodeOcspCertId,
  encodeOcspRequest,
  encodeOcspResponse,
  encodeOcspResponseData,
  encodeSigned,
  encodeTbsCrl,
  type OcspCertId,
  type OcspSingleResponse,
  OID,
  type TbsCrlInput,
} from '@holdfast/wire/x509';
import { encodeSignatureAlgorithm } from '../keys/algorithms.ts';
import type { Signer } from '../keys/signer.ts';
import { sha1Identifier, sha256 } from '../primitives/hash.ts';
import { subjectKeyIdentifier } from './certificate.ts';

export type CrlInput = Omit<TbsCrlInput, 'algorithm' | 'issuer' | 'authorityKeyIdentifier'> & {
  readonly issuer: Certificate;
};

/** Signs a certificate revocation list: DER. @throws `crypto.issue_refused` when the signer's key is not the issuer's. */
export async function issueCrl({ issuer, ...input }: CrlInput, signer: Signer): Promise<Uint8Array<ArrayBuffer>> {
  checkSigner(issuer, signer);
  const algorithm = encodeSignatureAlgorithm(signer.algorithm);
  const tbs = encodeTbsCrl({
    ...input,
    algorithm,
    issuer: issuer.subject.raw,
    authorityKeyIdentifier: issuer.known.subjectKeyIdentifier ?? subjectKeyIdentifier(issuer.spki.key),
  });
  return encodeSigned(tbs, algorithm, await signer.sign(tbs));
}

export interface OcspResponseInput {
  /** Who signs: the delegated responder, or the issuing authority itself. */
  readonly responder: Certificate;
  /** Whether the response carries the responder's certificate, as a delegated one must. */
  readonly includeCertificate: boolean;
  readonly producedAt: number;
  readonly responses: readonly OcspSingleResponse[];
  /** The request's, as decoded. */
  readonly nonce?: Uint8Array;
}

/** Signs a successful OCSP response: DER. @throws `crypto.issue_refused` when the signer's key is not the responder's. */
export async function issueOcspResponse(input: OcspResponseInput, signer: Signer): Promise<Uint8Array<ArrayBuffer>> {
  const { responder, includeCertificate, ...data } = input;
  checkSigner(responder, signer);
  const responseData = encodeOcspResponseData({ ...data, responderKeyHash: sha1Identifier(responder.spki.key) });
  return encodeOcspResponse({
    responseData,
    algorithm: encodeSignatureAlgorithm(signer.algorithm),
    signature: await signer.sign(responseData),
    certificates: includeCertificate ? [responder.raw] : [],
  });
}

interface IssuerHashes {
  readonly name: Uint8Array;
  readonly key: Uint8Array;
}

/** Recognises the CertIDs that name one issuer, by SHA-1 and by SHA-256. */
export class OcspIssuer {
  readonly #hashes: ReadonlyMap<string, IssuerHashes>;

  constructor(issuer: Certificate) {
    const [name, key] = [issuer.subject.raw, issuer.spki.key];
    this.#hashes = new Map([
      [OID.sha1, { name: sha1Identifier(name), key: sha1Identifier(key) }],
      [OID.sha256, { name: sha256(name), key: sha256(key) }],
    ]);
  }

  /** Both hashes must match: with one alone, an authority of the same name would be answered for. */
  matches(certId: OcspCertId): boolean {
    const own = this.#hashes.get(certId.hashAlgorithm);
    return (
      own !== undefined && equalBytes(own.name, certId.issuerNameHash) && equalBytes(own.key, certId.issuerKeyHash)
    );
  }

  /** The CertID of one of this issuer's certificates; `serial` in hex. */
  certId(serial: string, hashAlgorithm: typeof OID.sha1 | typeof OID.sha256 = OID.sha256): Uint8Array<ArrayBuffer> {
    const own = this.#hashes.get(hashAlgorithm);
    if (own === undefined) throw new HoldfastError('crypto.unsupported_algorithm', { oid: hashAlgorithm });
    return encodeOcspCertId({
      hashAlgorithm,
      issuerNameHash: own.name,
      issuerKeyHash: own.key,
      serial: decodeHex(serial, 'serial'),
    });
  }

  /** A request about one certificate with a fresh 32-octet nonce (RFC 9654 2.1). */
  request(serial: string, random: Random): Uint8Array<ArrayBuffer> {
    return encodeOcspRequest(this.certId(serial), random.bytes(32));
  }
}

function checkSigner(certificate: Certificate, signer: Signer): void {
  if (!equalBytes(certificate.spki.raw, signer.publicKeySpki)) {
    throw new HoldfastError('crypto.issue_refused', { field: 'signer' });
  }
}
