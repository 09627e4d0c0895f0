import path from 'node:path';
import { importPublicKey, type SignatureAlgorithm, verifySignature } from '@holdfast/crypto';
import { systemClock } from '@holdfast/kernel';
import { createEngineSigner } from '@holdfast/trust/storage';
import { afterEach, describe, expect, inject, it } from 'vitest';
import type { KeyEngines } from '../../../packages/server/src/engines/keys/key-engines.ts';
import { openKeyEngines } from '../../../packages/server/src/engines/keys/open-key-engines.ts';
import { LABEL, MODULE, PIN, plug } from './soft-token.ts';

const BYTES = new TextEncoder().encode('to be signed');
const coded = (code: string) => expect.objectContaining({ code });
const named = (object: string) => `pkcs11:token=${LABEL};object=${object};type=private`;

const opened: KeyEngines[] = [];
function open(pin = `file:${path.join(inject('token'), 'pin')}`, environment: Record<string, string> = {}): KeyEngines {
  const engines = openKeyEngines({ clock: systemClock, pkcs11Module: MODULE, pkcs11Pin: pin, environment });
  opened.push(engines);
  return engines;
}
afterEach(() => {
  for (const engines of opened.splice(0)) engines.close();
});

async function signerOf(engines: KeyEngines, object: string, algorithm?: SignatureAlgorithm) {
  const reference = named(object);
  return createEngineSigner(engines, { reference, publicKeySpki: await engines.describe(reference) }, algorithm);
}

describe('keys that OpenSC made in a token of SoftHSM', () => {
  it.each<[string, SignatureAlgorithm]>([
    ['issuing', 'ecdsa-p256-sha256'],
    ['large', 'ecdsa-p384-sha384'],
    ['rsa', 'rsa-pkcs1-sha256'],
    ['rsa', 'rsa-pkcs1-sha512'],
    ['rsa', 'rsa-pss-sha256'],
    ['rsa', 'rsa-pss-sha384'],
  ])('%s signs by %s', async (object, algorithm) => {
    const signer = await signerOf(open(), object, algorithm);
    const signature = await signer.sign(BYTES);
    expect(verifySignature(algorithm, importPublicKey(signer.publicKeySpki), BYTES, signature)).toBe(true);
  });

  it('sign for two hundred at once', async () => {
    const signer = await signerOf(open(), 'issuing');
    const signatures = await Promise.all(Array.from({ length: 200 }, () => signer.sign(BYTES)));
    expect(new Set(signatures.map((each) => Buffer.from(each).toString('hex'))).size).toBe(200);
  });

  it('are found by id too', async () => {
    const engines = open();
    expect(await engines.describe(`pkcs11:token=${LABEL};id=%A0`)).toEqual(await engines.describe(named('issuing')));
    const nobody = engines.describe(`pkcs11:token=${LABEL};id=%EE`);
    await expect(nobody).rejects.toThrowError(coded('storage.bad_key_reference'));
  });

  it('come back when the token does, without a new start', async () => {
    const signer = await signerOf(open(), 'issuing');
    plug(inject('token'), false);
    try {
      await expect(signer.sign(BYTES)).rejects.toThrowError(coded('storage.key_unavailable'));
    } finally {
      plug(inject('token'), true);
    }
    await expect
      .poll(() =>
        signer.sign(BYTES).then(
          () => 'signs',
          () => 'not yet',
        ),
      )
      .toBe('signs');
  });

  it('are not tried with a wrong PIN again and again', async () => {
    const wrong = open('env:PIN', { PIN: '000000' });
    for (let n = 0; n < 20; n++) {
      const error: unknown = await wrong.describe(named('issuing')).catch((thrown: unknown) => thrown);
      expect(error).toEqual(coded('storage.key_engine_refused'));
      expect(JSON.stringify(error)).not.toContain('000000');
    }
    // Of a token that locks after three or ten, this would be the end.
    await (await signerOf(open('env:PIN', { PIN }), 'issuing')).sign(BYTES);
  });
});
