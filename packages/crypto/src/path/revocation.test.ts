import { describe, expect, it } from 'vitest';
import { systemRandom } from '@holdfast/kernel';
import { type Certificate, decodeCrl, encodeRevokedEntry } from '@holdfast/wire/x509';
import { createSigner, issueCrl, newSerial, revocationStatus, verifySignature } from '../index.ts';
import { DAY, DEVICE, judge, make, NOW, ROOT } from './sample-paths.ts';

describe('revocation lists in a path', () => {
  const rootSigner = createSigner(ROOT.key);
  const list = async (issuer: Certificate, change: object = {}) =>
    decodeCrl(
      await issueCrl(
        { issuer, thisUpdate: NOW - DAY, nextUpdate: NOW + DAY, entries: [], crlNumber: 5n, ...change },
        rootSigner,
      ),
    );

  it('decide by the newest base and its delta, and only lists that cover the certificate count', async () => {
    const issuer = await make(ROOT);
    const certificate = await make(DEVICE, ROOT);
    const serial = certificate.serialBytes;
    const status = (...lists: Awaited<ReturnType<typeof list>>[]) =>
      revocationStatus({ certificate, issuer, lists, now: NOW }, (crl) =>
        verifySignature('ecdsa-p256-sha256', ROOT.key.publicKey, crl.tbs, crl.signature),
      );
    const held = { entries: [encodeRevokedEntry(serial, NOW, 'certificateHold')] };
    const freed = { entries: [encodeRevokedEntry(serial, NOW, 'removeFromCRL')], crlNumber: 6n, baseCrlNumber: 5n };
    expect(status()).toBe('no-list');
    expect(status(await list(issuer))).toBe('good');
    expect(status(await list(issuer, held))).toBe('revoked');
    expect(status(await list(issuer), await list(issuer, { ...held, crlNumber: 6n }))).toBe('revoked');
    expect(status(await list(issuer, held), await list(issuer, freed))).toBe('good');
    expect(status(await list(issuer, held), await list(issuer, { ...freed, baseCrlNumber: 6n, crlNumber: 7n }))).toBe(
      'revoked',
    );
    const undetermined = [
      { thisUpdate: NOW + 1000, nextUpdate: NOW + DAY },
      { thisUpdate: NOW - DAY, nextUpdate: NOW - 1000 },
      { shard: { uris: ['http://crl.test/2'], scope: 'user' } },
      { shard: { uris: [], scope: 'ca' } },
      {
        entries: [
          encodeRevokedEntry(Uint8Array.of(7), NOW, 'unspecified'),
          encodeRevokedEntry(Uint8Array.of(7), NOW, 'unspecified'),
        ],
      },
      { baseCrlNumber: 4n },
    ];
    for (const change of undetermined) expect(status(await list(issuer, change))).toBe('undetermined');
    const forged = revocationStatus({ certificate, issuer, lists: [await list(issuer)], now: NOW }, () => false);
    expect(forged).toBe('undetermined');
  });

  it('refuse a path whose certificate is revoked', async () => {
    const serial = newSerial(systemRandom);
    const crl = await list(await make(ROOT), { entries: [encodeRevokedEntry(serial, NOW, 'keyCompromise')] });
    expect(await judge({ issuing: { serial }, input: { crls: [crl] } })).toEqual({
      kind: 'invalid',
      reason: 'revoked',
    });
  });
});
