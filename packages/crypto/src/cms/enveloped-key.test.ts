import { createDecipheriv, generateKeyPairSync } from 'node:crypto';
import { concatBytes, decodeBase64, encodeUtf8, systemRandom } from '@holdfast/kernel';
import { contextConstructed, contextPrimitive, decodeDer, DerReader, TAG } from '@holdfast/wire/asn1';
import { encodeEccSharedInfo } from '@holdfast/wire/cms';
import { decodeSpki, encodeEcSpki, OID } from '@holdfast/wire/x509';
import { describe, expect, it } from 'vitest';
import { deviceInput, deviceKey, deviceSigner, NOW, rootSigner } from '../issuance/sample-authority.ts';
import {
  agreeSecret,
  decryptOaep,
  generatePrivateKey,
  importPrivateKey,
  importPublicKey,
  issueCertificate,
  PrivateKey,
  sha1Identifier,
  sha256,
  unwrapKey,
  verifySignature,
} from '../index.ts';
import { envelopePrivateKey, isKeyIdentifierOf, takesEnvelopes } from './index.ts';

/** `openssl cms -encrypt -binary -aes-256-cbc -keyid -keyopt ecdh_kdf_md:sha256` of the text `a key`, and its key. */
const KEY_OF_OPENSSL =
  'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgoYypeCnhSiDIg7SEfVK1Vw9xAxk7xzNlXVi3khY9sN2hRANCAAQl6thk7xLoyAQMhGPw4LnsxEEYmslrYOjVsW21oxuvY4WX7zqv5xzuborpQEOwYj3rr+HdBncPKyYy2sp52qpS';
const BY_OPENSSL =
  'MIIBCwYJKoZIhvcNAQcDoIH9MIH6AgECMYG2oYGzAgEDoFGhTzAJBgcqhkjOPQIBA0IABOLHstVlU8yMOrXPVZpBs59sxJWsXTtMX0Cro5JIxYFuFkfwMTwgLdGXqLzNpQFWeSFr/2ENxOX4onC6SJVRMMEwFQYGK4EEAQsBMAsGCWCGSAFlAwQBLTBEMEKgFgQUi03M9nce+sbsn6Z2yTRuVLCpOv4EKKGhWuvf2AOos9Yewd984YebZzMB07CDczbgk7Aa9vK7YBfUDM6JW5wwPAYJKoZIhvcNAQcBMB0GCWCGSAFlAwQBKgQQTFVVePitT2Qy2sR5CFrB4oAQiUrvEK4jhMSpaOQr1tsscA==';

/** What a recipient does; it opens what OpenSSL made, so that it may judge what we make. */
function open(envelope: Uint8Array, key: PrivateKey): { readonly contentType: string; readonly content: Uint8Array } {
  return decodeDer(envelope, 'contentInfo', (whole) => {
    const info = whole.sequence('contentInfo');
    expect(info.oid('contentType')).toBe(OID.envelopedData);
    const reader = info.enter(contextConstructed(0), 'content').sequence('envelopedData');
    expect(reader.uint('version')).toBe(2);
    const contentKey = openRecipient(reader.enter(TAG.set, 'recipientInfos'), key);
    const encrypted = reader.sequence('encryptedContentInfo');
    const contentType = encrypted.oid('contentType');
    const algorithm = encrypted.sequence('algorithm');
    expect(algorithm.oid('algorithm')).toBe(OID.aes256Cbc);
    const decipher = createDecipheriv('aes-256-cbc', contentKey, algorithm.octetString('iv'));
    const ciphertext = encrypted.octetString('encryptedContent', contextPrimitive(0));
    return { contentType, content: concatBytes(decipher.update(ciphertext), decipher.final()) };
  });
}

function openRecipient(set: DerReader, key: PrivateKey): Uint8Array {
  if (set.peekTag() === TAG.sequence) {
    const transport = set.sequence('ktri');
    transport.uint('version');
    transport.octetString('rid', contextPrimitive(0));
    transport.any('algorithm');
    return decryptOaep(key, transport.octetString('encryptedKey'), { hash: 'sha256' });
  }
  const agreement = set.enter(contextConstructed(1), 'kari');
  agreement.uint('version');
  const originator = agreement.enter(contextConstructed(0), 'originator').enter(contextConstructed(1), 'originatorKey');
  originator.any('algorithm');
  const point = originator.octetBitString('point');
  agreement.any('keyEncryptionAlgorithm');
  const encryptedKey = agreement.sequence('recipientEncryptedKeys').sequence('recipientEncryptedKey');
  encryptedKey.any('rid');
  const { kind } = key.publicKey;
  if (kind.kind !== 'ec') throw new TypeError('no EC key');
  const secret = agreeSecret(key, importPublicKey(encodeEcSpki(kind.curve, point)));
  const wrappingKey = sha256(concatBytes(secret, Uint8Array.of(0, 0, 0, 1), encodeEccSharedInfo(256)));
  return unwrapKey('plain', wrappingKey, encryptedKey.octetString('encryptedKey'));
}

const ecKeys = [await generatePrivateKey('P-256'), await generatePrivateKey('P-384')] as const;
const rsaKey = new PrivateKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
const keyIdentifier = Uint8Array.of(1, 2, 3);

describe('a private key in an envelope', () => {
  it('would be opened by whoever opens what OpenSSL makes', () => {
    const { contentType, content } = open(decodeBase64(BY_OPENSSL), importPrivateKey(decodeBase64(KEY_OF_OPENSSL)));
    expect([contentType, content]).toEqual([OID.data, encodeUtf8('a key')]);
  });

  it.each([
    ['P-256', ecKeys[0]],
    ['P-384', ecKeys[1]],
    ['RSA', rsaKey],
  ] as const)('reaches the holder of a %s key, signed by its maker', async (_name, recipient) => {
    const certificateDer = await issueCertificate(deviceInput(), rootSigner);
    const secret = (await generatePrivateKey('P-256')).exportPkcs8();
    const envelope = await envelopePrivateKey(
      secret,
      { key: recipient.publicKey, keyIdentifier },
      { certificates: [certificateDer], signer: deviceSigner, signingTime: NOW },
      systemRandom,
    );
    const { contentType, content } = open(envelope, recipient);
    expect(contentType).toBe(OID.signedData);
    const signed = new DerReader(content).sequence('signedData');
    expect(signed.uint('version')).toBe(3);
    signed.any('digestAlgorithms');
    const inner = signed.sequence('encapContentInfo');
    expect(inner.oid('eContentType')).toBe(OID.asymmetricKeyPackage);
    const keys = inner.enter(contextConstructed(0), 'eContent').octetString('eContent');
    expect(new DerReader(keys).sequence('asymmetricKeyPackage').any('key')).toEqual(secret);
    signed.any('certificates');
    const signer = signed.enter(TAG.set, 'signerInfos').sequence('signerInfo');
    for (const field of ['version', 'sid', 'digestAlgorithm']) signer.any(field);
    const covered = concatBytes(Uint8Array.of(TAG.set), signer.any('signedAttrs').subarray(1));
    expect(Buffer.from(covered).includes(Buffer.from(sha256(keys)))).toBe(true);
    signer.any('signatureAlgorithm');
    const signature = signer.octetString('signature');
    expect(verifySignature('ecdsa-p256-sha256', deviceKey.publicKey, covered, signature)).toBe(true);
  });

  it('does not reach anybody else', async () => {
    const [recipient, other] = [await generatePrivateKey('P-256'), await generatePrivateKey('P-256')];
    const certificateDer = await issueCertificate(deviceInput(), rootSigner);
    const envelope = await envelopePrivateKey(
      Uint8Array.of(1),
      { key: recipient.publicKey, keyIdentifier },
      { certificates: [certificateDer], signer: deviceSigner, signingTime: NOW },
      systemRandom,
    );
    expect(() => open(envelope, other)).toThrowError();
  });
});

describe('a key identifier', () => {
  const { key } = decodeSpki(deviceKey.publicKey.spki);

  it('names a key by SHA-1 or by 160 bits of SHA-256, and no other', () => {
    expect(isKeyIdentifierOf(sha1Identifier(key), key)).toBe(true);
    expect(isKeyIdentifierOf(sha256(key).subarray(0, 20), key)).toBe(true);
    expect(isKeyIdentifierOf(sha256(key), key)).toBe(false);
    expect(isKeyIdentifierOf(new Uint8Array(0), key)).toBe(false);
  });

  it('is no use for keys that cannot be encrypted for', async () => {
    expect(takesEnvelopes(deviceKey.publicKey)).toBe(true);
    expect(takesEnvelopes(rsaKey.publicKey)).toBe(true);
    expect(takesEnvelopes((await generatePrivateKey('ed25519')).publicKey)).toBe(false);
    const weak = new PrivateKey(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey);
    expect(takesEnvelopes(weak.publicKey)).toBe(false);
  });
});
