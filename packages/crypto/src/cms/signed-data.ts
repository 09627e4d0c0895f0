import { equalBytes, HoldfastError } from '@holdfast/kernel';
import { decodeSignedData, encodeSignedAttributes, encodeSignedData, type SignedData } from '@holdfast/wire/cms';
import { type Certificate, decodeCertificate, encodeAlgorithm, OID, publicKeyKind } from '@holdfast/wire/x509';
import {
  defaultAlgorithm,
  encodeSignatureAlgorithm,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
  signatureAlgorithmOf,
} from '../keys/algorithms.ts';
import { importPublicKey } from '../keys/public-key.ts';
import { verifySignature } from '../keys/verify.ts';
import { validatePath } from '../path/validate.ts';
import { digest, type HashAlgorithm } from '../primitives/hash.ts';

/** Whom a device trusts to sign. */
export interface CmsTrust {
  /** SubjectPublicKeyInfo of signers trusted by themselves, whatever their certificate says. */
  readonly keys: readonly Uint8Array[];
  /** Authorities: a signer needs a valid path to one of them. */
  readonly anchors: readonly Certificate[];
  /** Milliseconds since the Unix epoch; the signing time, which only the signer vouches for, when absent. */
  readonly now?: number | undefined;
}

export interface CmsSigner {
  readonly content: Uint8Array;
  readonly certificate: Certificate;
  readonly signingTime: number | undefined;
}

const HASHES: ReadonlyMap<string, HashAlgorithm> = new Map([
  [OID.sha256, 'sha256'],
  [OID.sha384, 'sha384'],
  [OID.sha512, 'sha512'],
]);

/**
 * Judges a CMS signature over a content it carries, or over one kept elsewhere, by the rules of `openssl cms -verify`: the
 * signer's certificate is in it and good for S/MIME, its path ends in an anchor. Certificates beside the path are refused.
 *
 * @param detached - the content, when the signature does not carry it.
 * @throws `boot.hash_mismatch`, `boot.bad_signature`, `boot.unknown_key`, `boot.bad_certificate`, `boot.time_unknown`,
 * `crypto.unsupported_algorithm`, and the decoder's errors
 */
export function judgeSignedData(bytes: Uint8Array, detached: Uint8Array | undefined, trust: CmsTrust): CmsSigner {
  const signed = decodeSignedData(bytes);
  const content = signed.content ?? detached;
  if (content === undefined || (signed.content !== undefined && detached !== undefined))
    throw new HoldfastError('wire.malformed', { field: 'eContent' });
  const certificates = signed.certificates.map((raw) => decodeCertificate(raw));
  const certificate = signerOf(signed, certificates);
  const hash = HASHES.get(signed.digestAlgorithm.oid);
  const { parameters } = signed.digestAlgorithm;
  if (hash === undefined || (parameters !== undefined && !equalBytes(parameters, NULL)))
    throw new HoldfastError('crypto.unsupported_algorithm', { algorithm: signed.digestAlgorithm.oid });
  if (!equalBytes(digest(hash, content), signed.messageDigest))
    throw new HoldfastError('boot.hash_mismatch', { field: 'messageDigest' });
  const algorithm = algorithmOf(signed, certificate, hash);
  if (!verifySignature(algorithm, importPublicKey(certificate.spki.raw), signed.covered, signed.signature))
    throw new HoldfastError('boot.bad_signature');
  checkPurpose(certificate);
  if (!trust.keys.some((key) => equalBytes(key, certificate.spki.raw)))
    checkPath(certificate, certificates, signed.signingTime, trust);
  return { content, certificate, signingTime: signed.signingTime };
}

const NULL = Uint8Array.of(5, 0);

function signerOf({ signer }: SignedData, certificates: readonly Certificate[]): Certificate {
  const found = certificates.find((certificate) =>
    signer.kind === 'issuer-and-serial'
      ? equalBytes(certificate.issuer.raw, signer.issuer) && equalBytes(certificate.serialBytes, signer.serial)
      : equalBytes(certificate.known.subjectKeyIdentifier ?? new Uint8Array(0), signer.keyIdentifier),
  );
  if (found === undefined) throw new HoldfastError('boot.bad_certificate', { reason: 'signer not included' });
  return found;
}

/** RSA signers name the key type alone (RFC 3370 3.2), so that the hash is the digest's. */
function algorithmOf(
  { signatureAlgorithm }: SignedData,
  { spki }: Certificate,
  hash: HashAlgorithm,
): SignatureAlgorithm {
  const kind = publicKeyKind(spki);
  const isPlainRsa = equalBytes(signatureAlgorithm.raw, encodeAlgorithm(OID.rsaEncryption));
  const algorithm =
    isPlainRsa && kind.kind === 'rsa' ? (`rsa-pkcs1-${hash}` as const) : signatureAlgorithmOf(signatureAlgorithm, kind);
  if (algorithm === undefined || SIGNATURE_ALGORITHMS[algorithm].hash !== hash)
    throw new HoldfastError('crypto.unsupported_algorithm', { algorithm: signatureAlgorithm.oid });
  return algorithm;
}

/** Both tools ask for the purpose S/MIME signing unless their configuration says otherwise. */
function checkPurpose({ known: { extKeyUsage, keyUsage } }: Certificate): void {
  if (extKeyUsage !== undefined && !extKeyUsage.includes(OID.emailProtection))
    throw new HoldfastError('boot.bad_certificate', { reason: 'extended key usage' });
  if (keyUsage !== undefined && !keyUsage.has('digitalSignature') && !keyUsage.has('nonRepudiation'))
    throw new HoldfastError('boot.bad_certificate', { reason: 'key usage' });
}

function checkPath(
  leaf: Certificate,
  certificates: readonly Certificate[],
  signingTime: number | undefined,
  trust: CmsTrust,
): void {
  if (trust.anchors.length === 0) throw new HoldfastError('boot.unknown_key', { keys: trust.keys.length });
  const now = trust.now ?? signingTime;
  if (now === undefined) throw new HoldfastError('boot.time_unknown');
  const verdict = validatePath({
    leaf,
    intermediates: certificates.filter((certificate) => certificate !== leaf),
    anchors: trust.anchors,
    now,
    purpose: OID.emailProtection,
  });
  if (verdict.kind === 'invalid') {
    const code = verdict.reason === 'no-path' ? 'boot.unknown_key' : 'boot.bad_certificate';
    throw new HoldfastError(code, { reason: verdict.reason });
  }
  const stray = certificates.some(({ raw }) => !verdict.path.some((certificate) => equalBytes(certificate.raw, raw)));
  if (stray) throw new HoldfastError('boot.bad_certificate', { reason: 'not on the path' });
}

/** Who signs, and when. */
export interface CmsSignOptions {
  /** DER, the signer's first, then any between it and the anchor. */
  readonly certificates: readonly Uint8Array[];
  /** Milliseconds since the Unix epoch. */
  readonly signingTime: number;
}

export interface PreparedSignedData {
  readonly algorithm: SignatureAlgorithm;
  /** The signed attributes, which name the digest of the content. */
  readonly message: Uint8Array;
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

/**
 * Lays a CMS signature out and says what has to be signed.
 *
 * @param embed - carry the content, or leave it out.
 * @throws `boot.bad_option` when the first certificate is not of this key or not good for S/MIME
 */
export function prepareSignedData(
  content: Uint8Array,
  embed: boolean,
  options: CmsSignOptions,
  spki: Uint8Array,
): PreparedSignedData {
  const [first] = options.certificates;
  if (first === undefined) throw new HoldfastError('boot.bad_option', { option: 'certificate', reason: 'missing' });
  const certificate = decodeCertificate(first);
  if (!equalBytes(certificate.spki.raw, spki))
    throw new HoldfastError('boot.bad_option', { option: 'certificate', reason: 'of another key' });
  checkPurpose(certificate);
  const algorithm = defaultAlgorithm(publicKeyKind(certificate.spki));
  const { hash } = SIGNATURE_ALGORITHMS[algorithm];
  if (hash === undefined) throw new HoldfastError('boot.unsupported_key', { algorithm });
  const message = encodeSignedAttributes(digest(hash, content), options.signingTime);
  const isRsa = algorithm.startsWith('rsa');
  return {
    algorithm,
    message,
    finish: (signature) =>
      encodeSignedData({
        content: embed ? content : undefined,
        certificates: options.certificates,
        issuer: certificate.issuer.raw,
        serial: certificate.serialBytes,
        digestAlgorithm: encodeAlgorithm(OID[hash]),
        signatureAlgorithm: isRsa ? encodeAlgorithm(OID.rsaEncryption) : encodeSignatureAlgorithm(algorithm),
        covered: message,
        signature,
      }),
  };
}
