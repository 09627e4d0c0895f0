import { createCipheriv } from 'node:crypto';
import { concatBytes, equalBytes, HoldfastError, type Random } from '@holdfast/kernel';
import {
  type EnvelopeRecipient,
  encodeEccSharedInfo,
  encodeEnvelopedData,
  encodeSignedAttributes,
  encodeSignedDataContent,
} from '@holdfast/wire/cms';
import { decodeCertificate, encodeAlgorithm, encodeAsymmetricKeyPackage, OID } from '@holdfast/wire/x509';
import { encodeSignatureAlgorithm } from '../keys/algorithms.ts';
import { subjectKeyIdentifier } from '../issuance/certificate.ts';
import { agreeSecret, encryptOaep } from '../keys/agreement.ts';
import { generatePrivateKey } from '../keys/private-key.ts';
import type { PublicKey } from '../keys/public-key.ts';
import type { Signer } from '../keys/signer.ts';
import { sha1Identifier, sha256 } from '../primitives/hash.ts';
import { wrapKey } from '../primitives/key-wrap.ts';

/** Who vouches for the key in the envelope. */
export interface KeyPackageSigner {
  /** The signer's certificate, then what leads to the root. */
  readonly certificates: readonly [Uint8Array, ...(readonly Uint8Array[])];
  /** Of the first certificate's key: ECDSA with SHA-256. */
  readonly signer: Signer;
  /** Milliseconds since the Unix epoch. */
  readonly signingTime: number;
}

const KEY_BYTES = 32;
const IV_BYTES = 16;

/** Whether a key identifier names this key: the first 160 bits of SHA-256 (RFC 7093), or SHA-1 (RFC 5280 4.2.1.2). */
export function isKeyIdentifierOf(identifier: Uint8Array, keyBits: Uint8Array): boolean {
  return equalBytes(identifier, subjectKeyIdentifier(keyBits)) || equalBytes(identifier, sha1Identifier(keyBits));
}

/** Whether a private key can be enveloped for this key. */
export function takesEnvelopes({ kind, weakness }: PublicKey): boolean {
  if (weakness !== undefined) return false;
  return kind.kind === 'rsa' || (kind.kind === 'ec' && kind.curve !== 'P-521');
}

/**
 * Encrypts a private key for whoever has another: an AsymmetricKeyPackage (RFC 5958), signed, in an envelope, as
 * RFC 7030 4.4.2 lays it out.
 *
 * @param keyIdentifier - as the recipient named its key
 * @throws `crypto.bad_key` for a key of another kind than `takesEnvelopes` says
 */
export async function envelopePrivateKey(
  pkcs8: Uint8Array,
  recipient: { readonly key: PublicKey; readonly keyIdentifier: Uint8Array },
  by: KeyPackageSigner,
  random: Random,
): Promise<Uint8Array<ArrayBuffer>> {
  const signed = await signPackage(encodeAsymmetricKeyPackage([pkcs8]), by);
  const [contentKey, iv] = [random.bytes(KEY_BYTES), random.bytes(IV_BYTES)];
  const cipher = createCipheriv('aes-256-cbc', contentKey, iv);
  const ciphertext = concatBytes(cipher.update(signed), cipher.final());
  return encodeEnvelopedData(await addressTo(recipient, contentKey), { contentType: OID.signedData, iv, ciphertext });
}

async function addressTo(
  { key, keyIdentifier }: { readonly key: PublicKey; readonly keyIdentifier: Uint8Array },
  contentKey: Uint8Array,
): Promise<EnvelopeRecipient> {
  if (key.kind.kind === 'rsa') {
    return { kind: 'rsa-oaep', keyIdentifier, encryptedKey: encryptOaep(key, contentKey, { hash: 'sha256' }) };
  }
  if (key.kind.kind !== 'ec' || key.kind.curve === 'P-521') throw new HoldfastError('crypto.bad_key');
  const ephemeral = await generatePrivateKey(key.kind.curve);
  const { kind } = ephemeral.publicKey;
  if (kind.kind !== 'ec') throw new HoldfastError('crypto.bad_key');
  const wrappingKey = deriveKey(agreeSecret(ephemeral, key));
  return {
    kind: 'ecdh',
    keyIdentifier,
    ephemeralPoint: kind.point,
    wrappedKey: wrapKey('plain', wrappingKey, contentKey),
  };
}

/** One round of the key derivation of ANSI X9.63 with SHA-256 is the 256 bits that are needed (SEC 1 3.6.1). */
function deriveKey(secret: Uint8Array): Uint8Array {
  return sha256(concatBytes(secret, Uint8Array.of(0, 0, 0, 1), encodeEccSharedInfo(8 * KEY_BYTES)));
}

async function signPackage(content: Uint8Array, by: KeyPackageSigner): Promise<Uint8Array> {
  const { issuer, serialBytes } = decodeCertificate(by.certificates[0]);
  const contentType = OID.asymmetricKeyPackage;
  const covered = encodeSignedAttributes(sha256(content), by.signingTime, contentType);
  return encodeSignedDataContent({
    contentType,
    content,
    certificates: by.certificates,
    issuer: issuer.raw,
    serial: serialBytes,
    digestAlgorithm: encodeAlgorithm(OID.sha256),
    signatureAlgorithm: encodeSignatureAlgorithm(by.signer.algorithm),
    covered,
    signature: await by.signer.sign(covered),
  });
}
