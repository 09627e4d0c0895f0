import { verifySignature } from '@holdfast/crypto';
import { ManualClock } from '@holdfast/kernel';
import { createEngineSigner } from '@holdfast/trust/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEY_ENGINE_LIMITS, KeyEngines, type KeyHealth } from './key-engines.ts';
import { openKeyEngines } from './open-key-engines.ts';
import { FakeKeyEngine } from './testing/fake-key-engine.ts';

const KEY = 'pkcs11:token=hf;object=issuing';
const BYTES = new TextEncoder().encode('to be signed');
const ORDER = { reference: KEY, algorithm: 'ecdsa-p256-sha256', bytes: BYTES } as const;
const coded = (code: string) => expect.objectContaining({ code });
const { timeoutMs, pauseMs, restMs, lookMs, lookAgainMs, atOnce, queue } = KEY_ENGINE_LIMITS;

let clock: ManualClock;
let token: FakeKeyEngine;
let engines: KeyEngines;
let heard: KeyHealth[];

beforeEach(async () => {
  clock = new ManualClock();
  token = new FakeKeyEngine();
  await token.put(KEY);
  engines = new KeyEngines({ clock, engines: { pkcs11: token } });
  heard = [];
  engines.onHealth((health) => heard.push(health));
});
afterEach(() => engines.close());

/** Lets time go by until the answer is there. */
async function patiently<Result>(work: Promise<Result>, stepMs = pauseMs): Promise<Result> {
  const moving = setInterval(() => clock.advance(stepMs), 1);
  try {
    return await work;
  } finally {
    clearInterval(moving);
  }
}

describe('keys in tokens and services', () => {
  it('sign, and the signature is the one of the key that was described', async () => {
    const signer = createEngineSigner(engines, { reference: KEY, publicKeySpki: await engines.describe(KEY) });
    expect(signer.algorithm).toBe('ecdsa-p256-sha256');
    expect(verifySignature(signer.algorithm, signer.publicKeySpki, BYTES, await signer.sign(BYTES))).toBe(true);
  });

  it('give no signature out when another key lies under the name', async () => {
    const signer = createEngineSigner(engines, { reference: KEY, publicKeySpki: await engines.describe(KEY) });
    await token.put(KEY);
    await expect(signer.sign(BYTES)).rejects.toThrowError(
      expect.objectContaining({ code: 'storage.key_unavailable', details: { reason: 'another_key' } }),
    );
  });

  it('are asked once more after a failure, and not a third time', async () => {
    token.fault = 'unavailable';
    token.faultsLeft = 1;
    await patiently(engines.sign(ORDER));
    expect(token.asked).toBe(2);
    token.faultsLeft = Number.POSITIVE_INFINITY;
    await expect(patiently(engines.sign(ORDER))).rejects.toThrowError(coded('storage.key_unavailable'));
    expect(token.asked).toBe(4);
  });

  it('are asked once when they refuse the PIN: a token locks after a few wrong ones', async () => {
    token.fault = 'refused';
    await expect(patiently(engines.sign(ORDER))).rejects.toThrowError(coded('storage.key_engine_refused'));
    expect(token.asked).toBe(1);
  });

  it('that hang are given up after their time, and the engine is told to forget what hangs', async () => {
    token.fault = 'hangs';
    await expect(patiently(engines.sign(ORDER), timeoutMs)).rejects.toThrowError(
      expect.objectContaining({ code: 'storage.key_unavailable', details: { reason: 'timeout' } }),
    );
    expect(token.resets).toBe(2);
  });

  it('that are gone are not asked by everybody: the next are told at once until one may try', async () => {
    token.fault = 'unavailable';
    await expect(patiently(engines.sign(ORDER))).rejects.toThrowError();
    const { asked } = token;
    for (let n = 0; n < 20; n++) {
      await expect(engines.sign(ORDER)).rejects.toThrowError(coded('storage.key_unavailable'));
    }
    expect(token.asked).toBe(asked);
    token.fault = undefined;
    clock.advance(restMs);
    await patiently(engines.sign(ORDER));
  });

  it('tell of an outage and of its end, whether somebody needs the key or not', async () => {
    engines.watch(KEY, await token.describe(KEY));
    token.fault = 'unavailable';
    for (let at = 0; at < lookMs + 2 * lookAgainMs; at += pauseMs) {
      clock.advance(pauseMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(heard).toEqual([expect.objectContaining({ kind: 'fails', reference: KEY })]);
    token.fault = undefined;
    for (let at = 0; at < 2 * lookAgainMs; at += pauseMs) {
      clock.advance(pauseMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(heard.at(-1)).toEqual({ kind: 'answers', reference: KEY });
    expect(engines.health).toEqual([{ kind: 'answers', reference: KEY }]);
  });

  it('tell that another key lies under the name, and that the right one is back', async () => {
    const expected = await token.describe(KEY);
    const other = await token.put(KEY);
    engines.watch(KEY, expected);
    clock.advance(lookMs);
    await expect.poll(() => heard.at(-1)?.kind).toBe('fails');
    engines.watch(KEY, other.publicKey.spki);
    clock.advance(lookAgainMs);
    await expect.poll(() => heard.at(-1)?.kind).toBe('answers');
  });

  it('alarm nobody when a reference that is only looked at leads nowhere', async () => {
    const wrong = 'pkcs11:token=hf;object=mistyped';
    await expect(engines.describe(wrong)).rejects.toThrowError(coded('storage.bad_key_reference'));
    expect(engines.health).toEqual([]);
    expect(heard).toEqual([]);
  });

  it('are asked by few at a time; beyond the queue nobody waits', async () => {
    const some = Array.from({ length: atOnce * (queue + 1) }, () => engines.sign(ORDER));
    await expect(engines.sign(ORDER)).rejects.toThrowError(
      expect.objectContaining({ details: { reason: 'busy' }, code: 'storage.key_unavailable' }),
    );
    await Promise.all(some);
    expect(token.mostAtOnce).toBe(atOnce);
  });

  it('of a kind that nobody set up are named as missing', async () => {
    await expect(engines.describe('kms:alias/a')).rejects.toThrowError(coded('storage.key_engine_missing'));
    const settings = { clock, pkcs11Module: undefined, pkcs11Pin: undefined, environment: {} };
    const real = openKeyEngines(settings);
    await expect(real.describe(KEY)).rejects.toThrowError(coded('storage.key_engine_missing'));
    real.close();
  });
});
