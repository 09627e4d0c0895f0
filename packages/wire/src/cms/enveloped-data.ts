import {
  contextConstructed,
  encodeBitString,
  encodeContext,
  encodeContextPrimitive,
  encodeInteger,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeSetOf,
} from '../asn1/index.ts';
import { encodeAlgorithm, OID } from '../x509/index.ts';

/** Whom an envelope is for, named by a key identifier, and how the content key reaches it. */
export type EnvelopeRecipient =
  | {
      /** Ephemeral-static ECDH with SHA-256 and AES-256 key wrap (RFC 5753 3.1.1). */
      readonly kind: 'ecdh';
      readonly keyIdentifier: Uint8Array;
      /** Uncompressed point of the sender's one-time key. */
      readonly ephemeralPoint: Uint8Array;
      readonly wrappedKey: Uint8Array;
    }
  | {
      /** RSAES-OAEP with SHA-256 (RFC 3560). */
      readonly kind: 'rsa-oaep';
      readonly keyIdentifier: Uint8Array;
      readonly encryptedKey: Uint8Array;
    };

/** What is encrypted by AES-256 in CBC mode: content of `contentType`, without its ContentInfo. */
export interface EnvelopedContent {
  readonly contentType: string;
  readonly iv: Uint8Array;
  readonly ciphertext: Uint8Array;
}

const OAEP_SHA256 = encodeSequence(
  encodeContext(0, encodeAlgorithm(OID.sha256)),
  encodeContext(1, encodeAlgorithm(OID.mgf1, encodeAlgorithm(OID.sha256))),
);

/** The algorithm of the wrapped key, inside the agreement and inside what its key is derived from: no parameters. */
const AES256_WRAP = encodeAlgorithm(OID.aes256Wrap);

/** A ContentInfo of EnvelopedData for one recipient (RFC 5652 section 6). */
export function encodeEnvelopedData(
  recipient: EnvelopeRecipient,
  { contentType, iv, ciphertext }: EnvelopedContent,
): Uint8Array<ArrayBuffer> {
  const enveloped = encodeSequence(
    encodeInteger(2),
    encodeSetOf(encodeRecipient(recipient)),
    encodeSequence(
      encodeOid(contentType),
      encodeAlgorithm(OID.aes256Cbc, encodeOctetString(iv)),
      encodeContextPrimitive(0, ciphertext),
    ),
  );
  return encodeSequence(encodeOid(OID.envelopedData), encodeContext(0, enveloped));
}

/** What the key of an agreement is derived from beside the secret: ECC-CMS-SharedInfo (RFC 5753 7.2). */
export function encodeEccSharedInfo(keyBits: number): Uint8Array<ArrayBuffer> {
  const length = Uint8Array.of(0, 0, keyBits >> 8, keyBits & 0xff);
  return encodeSequence(AES256_WRAP, encodeContext(2, encodeOctetString(length)));
}

function encodeRecipient(recipient: EnvelopeRecipient): Uint8Array {
  if (recipient.kind === 'rsa-oaep') {
    return encodeSequence(
      encodeInteger(2),
      encodeContextPrimitive(0, recipient.keyIdentifier),
      encodeAlgorithm(OID.rsaesOaep, OAEP_SHA256),
      encodeOctetString(recipient.encryptedKey),
    );
  }
  const { keyIdentifier, ephemeralPoint, wrappedKey } = recipient;
  // The curve is the recipient's: RFC 5753 3.1.1 lets the parameters be absent.
  const originatorKey = encodeSequence(encodeAlgorithm(OID.ecPublicKey), encodeBitString(ephemeralPoint));
  originatorKey[0] = contextConstructed(1);
  const byKey = encodeSequence(encodeOctetString(keyIdentifier));
  byKey[0] = contextConstructed(0);
  const agreement = encodeSequence(
    encodeInteger(3),
    encodeContext(0, originatorKey),
    encodeAlgorithm(OID.ecdhSha256Kdf, AES256_WRAP),
    encodeSequence(encodeSequence(byKey, encodeOctetString(wrappedKey))),
  );
  agreement[0] = contextConstructed(1);
  return agreement;
}
