import { describe, expect, it } from 'vitest';
import { encodeBitString, encodeOid, encodeSequence } from '@holdfast/wire/asn1';
import {
  attributeTexts,
  decodeCertificate,
  encodeAlgorithm,
  encodeBasicConstraints,
  encodeCertificationRequestInfo,
  encodeExtension,
  encodeKeyUsage,
  encodeName,
  encodeSigned,
  OID,
} from '@holdfast/wire/x509';
import { createCsr, encodeSignatureAlgorithm, issueCertificate, verifyCsr } from '../index.ts';
import { rootSigner, deviceKey, deviceSigner, deviceInput } from './sample-authority.ts';

const coded = (code: string, field?: string) =>
  expect.objectContaining(field === undefined ? { code } : { code, details: expect.objectContaining({ field }) });

describe('certification requests', () => {
  it('prove possession and show what they ask for', async () => {
    const der = await createCsr(
      {
        subject: [{ type: 'commonName', value: 'other' }],
        subjectAltName: [{ kind: 'dns', text: 'evil.test' }],
        challengePassword: 'AAAA',
      },
      deviceSigner,
    );
    const request = await verifyCsr(der);
    expect(attributeTexts(request.info.subject, OID.commonName)).toEqual(['other']);
    expect(request.requestedNames).toEqual([{ kind: 'dns', text: 'evil.test' }]);
    expect(request.asksForAuthority).toBe(false);
    expect(request.info.challengePassword).toBe('AAAA');
    expect(request.publicKey.spki).toEqual(deviceKey.publicKey.spki);
  });

  it('are refused with a code when any one byte is flipped', async () => {
    const der = await createCsr({ subject: [{ type: 'commonName', value: 'device-1' }] }, deviceSigner);
    const codes = new Set<string>();
    for (let at = 0; at < der.length; at++) {
      const flipped = Uint8Array.from(der);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await expect(
        verifyCsr(flipped).catch((error: { code: string }) => Promise.reject(codes.add(error.code))),
      ).rejects.toBeDefined();
    }
    expect([...codes].every((code) => /^(wire|crypto)\./.test(code))).toBe(true);
    expect(codes.has('crypto.bad_signature')).toBe(true);
  });

  it('show a wish for authority, which issuing does not copy', async () => {
    const extensions = [
      encodeExtension(OID.basicConstraints, true, encodeBasicConstraints({ ca: true, pathLen: undefined })),
      encodeExtension(OID.keyUsage, true, encodeKeyUsage(['keyCertSign'])),
    ];
    const tbs = encodeCertificationRequestInfo({
      subject: encodeName([{ type: 'commonName', value: 'dev1' }]),
      spki: deviceKey.publicKey.spki,
      extensions,
    });
    const algorithm = encodeSignatureAlgorithm(deviceSigner.algorithm);
    const request = await verifyCsr(encodeSigned(tbs, algorithm, await deviceSigner.sign(tbs)));
    expect(request.asksForAuthority).toBe(true);
    const issued = decodeCertificate(
      await issueCertificate({ ...deviceInput(), publicKey: request.publicKey }, rootSigner),
    );
    expect(issued.known.basicConstraints?.ca).toBe(false);
    expect(attributeTexts(issued.subject, OID.commonName)).toEqual(['device-1']);
  });

  it('by SHA-1, or by an algorithm of another kind of key, are refused', async () => {
    const tbs = encodeCertificationRequestInfo({ subject: encodeName([]), spki: deviceKey.publicKey.spki });
    const signature = await deviceSigner.sign(tbs);
    for (const oid of ['1.2.840.10045.4.1', OID.sha256WithRsa, OID.ed25519]) {
      await expect(verifyCsr(encodeSigned(tbs, encodeAlgorithm(oid), signature))).rejects.toThrowError(
        coded('crypto.unsupported_algorithm'),
      );
    }
  });

  it('with an explicit curve, a compressed point or a point off its curve hold no key', async () => {
    const { key } = { key: deviceKey.publicKey.spki.subarray(-65) };
    const off = Uint8Array.from(key);
    off[64] = (off[64] ?? 0) ^ 1;
    const named = encodeOid(OID.secp256r1);
    for (const [parameters, point] of [
      [encodeSequence(), key],
      [named, Uint8Array.of(2, ...key.subarray(1, 33))],
      [named, off],
      [named, Uint8Array.of(0)],
    ] as const) {
      const spki = encodeSequence(encodeAlgorithm(OID.ecPublicKey, parameters), encodeBitString(point));
      const tbs = encodeCertificationRequestInfo({ subject: encodeName([]), spki });
      const der = encodeSigned(tbs, encodeAlgorithm(OID.ecdsaWithSha256), await deviceSigner.sign(tbs));
      await expect(verifyCsr(der)).rejects.toThrowError(coded('crypto.bad_key'));
    }
  });
});
