import { createPrivateKey, createPublicKey, hkdfSync } from 'node:crypto';
import { decodeHex, encodeHex } from '@holdfast/kernel';
import type { DiceMode } from '@holdfast/wire/x509';
import { describe, expect, it } from 'vitest';
import { deriveDiceKey, deriveDiceSecrets, diceId } from './index.ts';

describe('Open DICE derivation', () => {
  const zero = new Uint8Array(64);
  const secrets = { attest: new Uint8Array(32), seal: new Uint8Array(32) };

  it('gives the known values for all inputs zero (open-dice known_test_values.h)', () => {
    const next = deriveDiceSecrets(secrets, {
      codeHash: zero,
      configurationHash: zero,
      authorityHash: zero,
      mode: 'not-configured',
    });
    expect(encodeHex(next.attest)).toMatch(/^fbfc6797.*319e0c19$/);
    expect(encodeHex(next.seal)).toMatch(/^8ff8b225.*ef49bdc5$/);
    expect(encodeHex(diceId(ed25519Of(secrets.attest)))).toBe('7a06eee41b789f4863d86b8778b1a201a6fedd56');
    expect(encodeHex(diceId(ed25519Of(next.attest)))).toBe('67c22a8859062b986818e8e72b0bcd9f59349c89');
  });

  it('changes the attest secret with every input, and the seal secret only with authority and mode', () => {
    const base = { codeHash: zero, configurationHash: zero, authorityHash: zero, mode: 'normal' as DiceMode };
    const one = new Uint8Array(64).fill(1);
    const reference = deriveDiceSecrets(secrets, base);
    const variants: readonly [Partial<typeof base>, boolean][] = [
      [{ codeHash: one }, true],
      [{ configurationHash: one }, true],
      [{ authorityHash: one }, false],
      [{ mode: 'recovery' }, false],
    ];
    for (const [change, sealsAlike] of variants) {
      const other = deriveDiceSecrets(secrets, { ...base, ...change });
      expect(other.attest).not.toEqual(reference.attest);
      expect(encodeHex(other.seal) === encodeHex(reference.seal)).toBe(sealsAlike);
    }
  });

  it('derives the same key pair from the same secret, and one that signs', () => {
    const again = deriveDiceKey(new Uint8Array(32).fill(1));
    expect(again.point).toEqual(deriveDiceKey(new Uint8Array(32).fill(1)).point);
    expect(again.point).not.toEqual(deriveDiceKey(new Uint8Array(32).fill(2)).point);
    expect(createPublicKey(again.privateKey).export({ format: 'jwk' }).crv).toBe('P-256');
  });
});

function ed25519Of(secret: Uint8Array): Uint8Array {
  const salt = decodeHex(
    '63b6a04d2c077fc10f639f21da793844356cc2b0b441b3a77124035c03f8e1be6035d31f282821a7450a02222ab1b3cff1679b05ab1ca5d1affb789ccd2b0b3b',
  );
  const seed = new Uint8Array(hkdfSync('sha512', secret, salt, 'Key Pair', 32));
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(-32));
}
