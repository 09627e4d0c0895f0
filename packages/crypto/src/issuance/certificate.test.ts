import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeHex, seededRandom } from '@holdfast/kernel';
import { decodeCertificate, OID } from '@holdfast/wire/x509';
import { fingerprint, generatePrivateKey, issueCertificate, newSerial, validityFor } from '../index.ts';
import { DAY, NOW, rootKey, rootSigner, root, deviceSigner, deviceInput } from './sample-authority.ts';

const coded = (code: string, field?: string) =>
  expect.objectContaining(field === undefined ? { code } : { code, details: expect.objectContaining({ field }) });

describe('certificates', () => {
  it("say what the profile says, with the registry's name, and verify under the issuer", async () => {
    const der = await issueCertificate(
      { ...deviceInput(), san: [{ kind: 'uri', text: 'urn:holdfast:t1:device-1' }], ocspUris: ['http://o.test'] },
      rootSigner,
    );
    const decoded = decodeCertificate(der);
    expect(decoded.known.basicConstraints).toEqual({ ca: false, pathLen: undefined });
    expect([...(decoded.known.keyUsage ?? [])]).toEqual(['digitalSignature']);
    expect(decoded.known.extKeyUsage).toEqual([OID.clientAuth]);
    expect(decoded.known.subjectAltName).toEqual([{ kind: 'uri', text: 'urn:holdfast:t1:device-1' }]);
    expect(decoded.serialBytes.length).toBe(20);
    const node = new X509Certificate(der);
    expect(node.subject).toBe('CN=device-1');
    expect(node.ca).toBe(false);
    expect(node.verify(rootKey.publicKey.keyObject)).toBe(true);
    expect(node.checkIssued(new X509Certificate(root.raw))).toBe(true);
    expect(node.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(fingerprint(der));
  });

  it.each([
    ['2049-12-31T23:59:59Z', 'Dec 31 23:59:59 2049 GMT'],
    ['2050-01-01T00:00:00Z', 'Jan  1 00:00:00 2050 GMT'],
    ['9999-12-31T23:59:59Z', 'Dec 31 23:59:59 9999 GMT'],
  ])('end at %s exactly, whichever time type that takes', async (end, text) => {
    const notAfter = Date.parse(end);
    const input = { ...deviceInput(), profile: 'root' as const, publicKey: rootKey.publicKey, notAfter };
    const der = await issueCertificate({ ...input, issuer: undefined as never }, rootSigner);
    expect(decodeCertificate(der).validity.notAfter).toBe(notAfter);
    expect(new X509Certificate(der).validTo).toBe(text);
  });

  it.each([
    ['outlive the issuer', { notAfter: root.validity.notAfter + 1000 }, 'validity'],
    ['begin before the issuer', { notBefore: root.validity.notBefore - 1000 }, 'validity'],
    ['end before they begin', { notAfter: NOW - 365 * DAY, notBefore: NOW - DAY / 25 }, 'validity'],
    ['have a short serial', { serial: Uint8Array.of(1, 2, 3) }, 'serial'],
    ['have a negative serial', { serial: new Uint8Array(20).fill(0x80) }, 'serial'],
    ["hold the authority's own key", { publicKey: rootKey.publicKey }, 'public key'],
    ['be a server without a name', { profile: 'server' as const }, 'san'],
  ])('are refused when they would %s', async (_name, change, field) => {
    await expect(issueCertificate({ ...deviceInput(), ...change }, rootSigner)).rejects.toThrowError(
      coded('crypto.issue_refused', field),
    );
  });

  it("are not signed by a key that is not the issuer's, nor under a leaf", async () => {
    await expect(issueCertificate(deviceInput(), deviceSigner)).rejects.toThrowError(
      coded('crypto.issue_refused', 'signer'),
    );
    const leaf = decodeCertificate(await issueCertificate(deviceInput(), rootSigner));
    const other = await generatePrivateKey('P-256');
    await expect(
      issueCertificate({ ...deviceInput(leaf), publicKey: other.publicKey }, deviceSigner),
    ).rejects.toThrowError(coded('crypto.issue_refused', 'issuer'));
  });

  it("have dates inside the issuer's, backdated for slow clocks", () => {
    const issuer = { notBefore: NOW - 1000, notAfter: NOW + DAY };
    expect(validityFor({ now: NOW + 999, lifetimeMs: 2 * DAY, issuer })).toEqual(issuer);
    expect(validityFor({ now: NOW + 999, lifetimeMs: DAY })).toEqual({
      notBefore: NOW - 3_600_000,
      notAfter: NOW + DAY,
    });
    expect(() => validityFor({ now: NOW + 2 * DAY, lifetimeMs: DAY, issuer })).toThrowError(
      coded('crypto.issue_refused'),
    );
  });

  it('have serials that are positive, 20 octets long and never alike', () => {
    const random = seededRandom(7);
    const serials = Array.from({ length: 1000 }, () => newSerial(random));
    expect(serials.every((serial) => serial.length === 20 && (serial[0] ?? 0) >= 0x40 && (serial[0] ?? 0) < 0x80)).toBe(
      true,
    );
    expect(new Set(serials.map(encodeHex)).size).toBe(1000);
  });
});
