import { importPublicKey, verifySignature } from '@holdfast/crypto';
import { CK, pkcs11Signature, pkcs11SignOrder } from '@holdfast/crypto/pkcs11';
import { encodeOid } from '@holdfast/wire/asn1';
import { OID } from '@holdfast/wire/x509';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeToken } from '../../../../crypto/src/pkcs11/testing/fake-token.ts';
import { faultOf, Pkcs11Tokens } from './pkcs11-tokens.ts';

const REFERENCE = { kind: 'pkcs11', token: 'hf', object: 'issuing' } as const;
const BYTES = new TextEncoder().encode('to be signed');
const ORDER = pkcs11SignOrder('ecdsa-p256-sha256', BYTES);

let token: FakeToken;
let tokens: Pkcs11Tokens;
beforeEach(() => {
  token = new FakeToken('hf', '4321');
  makeKey('issuing');
  tokens = new Pkcs11Tokens(token, '4321');
});

function makeKey(label: string): void {
  const shared = [
    { type: CK.label, value: label },
    { type: CK.keyType, value: CK.keyEc },
    { type: CK.ecParams, value: encodeOid(OID.secp256r1) },
  ];
  token.C_GenerateKeyPair(Uint8Array.of(), { mechanism: CK.generateEc }, shared, [
    ...shared,
    { type: CK.sign, value: true },
  ]);
}

const fault = (work: Promise<unknown>) => work.then(() => 'done', faultOf);

describe('a token', () => {
  it('signs by the key of the reference, with one login', async () => {
    const key = importPublicKey(await tokens.describe(REFERENCE));
    for (let n = 0; n < 3; n++) {
      const signature = pkcs11Signature('ecdsa-p256-sha256', await tokens.sign(REFERENCE, ORDER));
      expect(verifySignature('ecdsa-p256-sha256', key, BYTES, signature)).toBe(true);
    }
    expect(token.logins).toBe(1);
  });

  it('that was pulled out is absent, and signs after a new login when it is back', async () => {
    await tokens.sign(REFERENCE, ORDER);
    token.plug(false);
    expect(await fault(tokens.sign(REFERENCE, ORDER))).toBe('absent');
    token.plug(true);
    expect(await fault(tokens.sign(REFERENCE, ORDER))).toBe('done');
    expect(token.logins).toBe(2);
  });

  it('whose sessions ended meanwhile is logged in to again, unseen by who asks', async () => {
    await tokens.sign(REFERENCE, ORDER);
    token.plug(true);
    expect(await fault(tokens.sign(REFERENCE, ORDER))).toBe('done');
    expect(token.logins).toBe(2);
  });

  it('gets a wrong PIN once for each question, never twice', async () => {
    const wrong = new Pkcs11Tokens(token, '0000');
    expect(await fault(wrong.sign(REFERENCE, ORDER))).toBe('CKR_PIN_INCORRECT');
    expect(token.logins).toBe(1);
  });

  it.each([
    ['absent', { ...REFERENCE, token: 'other' }],
    ['absent', { kind: 'pkcs11', serial: '9', object: 'issuing' } as const],
    ['no_key', { ...REFERENCE, object: 'other' }],
  ])('is %s for %o', async (expected, reference) => {
    expect(await fault(tokens.describe(reference))).toBe(expected);
  });

  it('does not choose between two keys of one name', async () => {
    makeKey('issuing');
    expect(await fault(tokens.sign(REFERENCE, ORDER))).toBe('ambiguous');
  });

  it('says nothing of what was given to it', () => {
    expect(faultOf(new Error('CKR_PIN_INCORRECT:160 pin 4321'))).toBe('CKR_PIN_INCORRECT');
    expect(faultOf(new Error('pin 4321'))).toBe('unknown');
  });
});
