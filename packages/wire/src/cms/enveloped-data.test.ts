import { decodeBase64 } from '@holdfast/kernel';
import { expect, it } from 'vitest';
import { OID } from '../x509/index.ts';
import { encodeEccSharedInfo, encodeEnvelopedData } from './index.ts';

/** `openssl cms -encrypt -binary -aes-256-cbc -keyid -keyopt ecdh_kdf_md:sha256` of OpenSSL 3.0.22, for a P-256 key. */
const BY_OPENSSL = decodeBase64(
  'MIIBCwYJKoZIhvcNAQcDoIH9MIH6AgECMYG2oYGzAgEDoFGhTzAJBgcqhkjOPQIBA0IABOLHstVlU8yMOrXPVZpBs59sxJWsXTtMX0Cro5JIxYFuFkfwMTwgLdGXqLzNpQFWeSFr/2ENxOX4onC6SJVRMMEwFQYGK4EEAQsBMAsGCWCGSAFlAwQBLTBEMEKgFgQUi03M9nce+sbsn6Z2yTRuVLCpOv4EKKGhWuvf2AOos9Yewd984YebZzMB07CDczbgk7Aa9vK7YBfUDM6JW5wwPAYJKoZIhvcNAQcBMB0GCWCGSAFlAwQBKgQQTFVVePitT2Qy2sR5CFrB4oAQiUrvEK4jhMSpaOQr1tsscA==',
);

it('lays an envelope for an EC key out as OpenSSL does', () => {
  const part = (start: number, end: number) => BY_OPENSSL.subarray(start, end);
  expect(
    encodeEnvelopedData(
      {
        kind: 'ecdh',
        ephemeralPoint: part(51, 116),
        keyIdentifier: part(147, 167),
        wrappedKey: part(169, 209),
      },
      { contentType: OID.data, iv: part(237, 253), ciphertext: part(255, 271) },
    ),
  ).toEqual(BY_OPENSSL);
});

it('derives the key of an agreement from the wrap algorithm and its length in bits (RFC 5753 7.2)', () => {
  const info = Buffer.from(encodeEccSharedInfo(256)).toString('hex');
  expect(info).toBe('3015300b060960864801650304012da206040400000100');
});
