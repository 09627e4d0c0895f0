import { ByteReader, concatBytes, encodeHex, encodeUtf8, HoldfastError, systemRandom } from '@holdfast/kernel';
import {
  decodeTpmAttest,
  decodeTpmPublic,
  decodeTpmResponse,
  encodeEventLog,
  encodeTpmAttest,
  encodeTpmRequest,
  encodeTpmSignature,
  type EventLog,
  TPM_HANDLE,
  TPM_OBJECT,
  type TpmCall,
  tpmCalls,
  type TpmPublic,
} from '@holdfast/wire/tpm2';
import { beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE } from '../../../wire/src/tpm2/sample-tpm.ts';
import {
  eventsOf,
  extendPcr,
  initialPcr,
  isAttestationKey,
  isEndorsementKey,
  makeCredential,
  type PcrBank,
  type QuoteEvidence,
  replayEventLog,
  SoftwareTpm,
  tpmName,
  verifyCertified,
  verifyQuote,
} from './index.ts';
import { signP256Digest } from './sign-digest.ts';
import { generatePrivateKey } from '../keys/private-key.ts';
import { sha256 } from '../primitives/hash.ts';
import { verifySignature } from '../keys/verify.ts';

const O = TPM_OBJECT;
const NOTHING = new Uint8Array();
const KEPT = O.fixedTpm | O.fixedParent | O.sensitiveDataOrigin | O.userWithAuth;

const template = (attributes: number, more: Partial<TpmPublic & { type: 'ecc' }> = {}): TpmPublic => ({
  type: 'ecc',
  nameHash: 'sha256',
  attributes,
  authPolicy: NOTHING,
  symmetric: undefined,
  scheme: { kind: 'ecdsa', hash: 'sha256' },
  curve: 'P-256',
  x: NOTHING,
  y: NOTHING,
  ...more,
});
const EK = template(O.fixedTpm | O.fixedParent | O.sensitiveDataOrigin | O.adminWithPolicy | O.restricted | O.decrypt, {
  symmetric: { keyBits: 128 },
  scheme: { kind: 'any' },
});
const AK = template(KEPT | O.restricted | O.sign);
const KEY = template(KEPT | O.sign);

/** A TPM with an endorsement key, an attestation key and a plain key loaded. */
class Bench {
  readonly tpm = new SoftwareTpm();
  ek = { handle: 0, area: EK };
  ak = { handle: 0, area: AK };
  key = { handle: 0, area: KEY };

  static async open(): Promise<Bench> {
    const bench = new Bench();
    bench.ek = await bench.run(tpmCalls.createPrimary(TPM_HANDLE.endorsement, EK));
    bench.ak = await bench.#child(AK);
    bench.key = await bench.#child(KEY);
    return bench;
  }

  async run<T>(call: TpmCall<T>): Promise<T> {
    const response = decodeTpmResponse(call.command, await this.tpm.execute(encodeTpmRequest(call)));
    if (response.kind === 'refused') throw new RangeError(response.code.toString(16));
    return call.read(new ByteReader(response.parameters), response.handles);
  }

  async #child(wanted: TpmPublic): Promise<{ handle: number; area: TpmPublic }> {
    const made = await this.run(tpmCalls.create(this.ek.handle, wanted));
    const handle = await this.run(tpmCalls.load(this.ek.handle, made.privateArea, made.publicArea));
    return { handle, area: await this.run(tpmCalls.readPublic(handle)) };
  }

  async quote(nonce: Uint8Array, pcrs = [0, 4, 7]): Promise<QuoteEvidence> {
    const selection = [{ bank: 'sha256', pcrs }] as const;
    const { attest, signature } = await this.run(tpmCalls.quote(this.ak.handle, nonce, selection));
    const { values } = await this.run(tpmCalls.pcrRead(selection));
    return {
      attest,
      signature: encodeTpmSignature(signature),
      pcrs: new Map(pcrs.map((pcr, at) => [pcr, values[at] ?? NOTHING])),
      eventLog: undefined,
    };
  }

  async activate(ak: number, credential: ReturnType<typeof makeCredential>): Promise<Uint8Array> {
    const session = await this.run(tpmCalls.startPolicySession(systemRandom.bytes(16), 'sha256'));
    try {
      await this.run(tpmCalls.policySecret(TPM_HANDLE.endorsement, session));
      return await this.run(tpmCalls.activateCredential(ak, { handle: this.ek.handle, session }, credential));
    } finally {
      await this.run(tpmCalls.flushContext(session));
    }
  }
}

let bench: Bench;
let other: Bench;

beforeAll(async () => {
  [bench, other] = [await Bench.open(), await Bench.open()];
});

describe('what tpm2-tools made', () => {
  const areaOf = (sized: Uint8Array): TpmPublic => decodeTpmPublic(sized.subarray(2));
  const attestationKey = areaOf(SAMPLE.attestationKey);
  const pcrs: PcrBank = new Map(
    [0, 1, 2, 3, 7].map((pcr) => [pcr, pcr === 7 ? SAMPLE.pcr7 : initialPcr(pcr, 'sha256')]),
  );
  const evidence = { attest: SAMPLE.quote, signature: SAMPLE.quoteSignature, pcrs, eventLog: undefined };

  it('has the name that the TPM gave it', () => {
    expect(encodeHex(tpmName(attestationKey))).toBe(encodeHex(SAMPLE.attestationKeyName));
    expect(isEndorsementKey(decodeTpmPublic(SAMPLE.endorsementKey))).toBe(true);
    expect([isAttestationKey(attestationKey), isAttestationKey(areaOf(SAMPLE.deviceKey))]).toEqual([true, false]);
  });

  it('verifies as a quote, with the registers under its digest', () => {
    expect(verifyQuote(evidence, { attestationKey, nonce: SAMPLE.nonce })).toMatchObject({
      kind: 'quoted',
      clockInfo: { resetCount: 2 },
      eventLog: undefined,
    });
  });

  it('shows a key in the same TPM', () => {
    const certification = { attest: SAMPLE.certify, signature: SAMPLE.certifySignature };
    const object = areaOf(SAMPLE.deviceKey);
    const data = decodeTpmAttest(SAMPLE.certify).extraData;
    expect(verifyCertified(certification, { attestationKey, object, data })).toEqual({ kind: 'certified' });
  });

  it('comes to the register it extended', () => {
    expect(extendPcr('sha256', initialPcr(7, 'sha256'), new Uint8Array(32).fill(0xab))).toEqual(SAMPLE.pcr7);
  });
});

describe('a credential', () => {
  const secret = encodeUtf8('thirty-two bytes of some secret.');

  it('is opened by the TPM it was made for, for the object it names', async () => {
    const credential = makeCredential(bench.ek.area, tpmName(bench.ak.area), secret, systemRandom);
    expect(await bench.activate(bench.ak.handle, credential)).toEqual(secret);
  });

  it.each<[string, () => Promise<Uint8Array>]>([
    [
      'another TPM',
      () =>
        other.activate(other.ak.handle, makeCredential(bench.ek.area, tpmName(other.ak.area), secret, systemRandom)),
    ],
    [
      'the same TPM for another object',
      () =>
        bench.activate(bench.key.handle, makeCredential(bench.ek.area, tpmName(bench.ak.area), secret, systemRandom)),
    ],
  ])('is not opened by %s', async (_name, attempt) => {
    await expect(attempt()).rejects.toThrow('9f');
  });

  it('is made for RSA endorsement keys too, and for nothing that is not one', () => {
    const rsa = decodeTpmPublic(SAMPLE.endorsementKey);
    expect(makeCredential(rsa, tpmName(bench.ak.area), secret, systemRandom).encryptedSecret).toHaveLength(256);
    for (const area of [bench.ak.area, bench.key.area, EK]) {
      expect(() => makeCredential(area, tpmName(bench.ak.area), secret, systemRandom)).toThrow(HoldfastError);
    }
  });
});

describe('a quote', () => {
  const nonce = new Uint8Array(32).fill(5);
  const verdictOf = (evidence: QuoteEvidence, key = bench.ak.area, asked = nonce) =>
    verifyQuote(evidence, { attestationKey: key, nonce: asked });

  it('is believed with the registers it covers', async () => {
    expect(verdictOf(await bench.quote(nonce)).kind).toBe('quoted');
  });

  it.each<[string, string, () => Promise<ReturnType<typeof verifyQuote>>]>([
    ['that answers another nonce', 'nonce', async () => verdictOf(await bench.quote(new Uint8Array(32)))],
    [
      'that answers the beginning of the nonce',
      'nonce',
      async () => verdictOf(await bench.quote(nonce.subarray(0, 16))),
    ],
    ['of another TPM', 'signature', async () => verdictOf(await other.quote(nonce))],
    [
      'with a register changed after it',
      'pcr-digest',
      async () => {
        const evidence = await bench.quote(nonce);
        return verdictOf({ ...evidence, pcrs: new Map([...evidence.pcrs, [4, new Uint8Array(32).fill(1)]]) });
      },
    ],
    [
      'with a register nobody quoted',
      'selection',
      async () => {
        const evidence = await bench.quote(nonce);
        return verdictOf({ ...evidence, pcrs: new Map([...evidence.pcrs, [5, new Uint8Array(32)]]) });
      },
    ],
    [
      'with a register left out',
      'selection',
      async () => {
        const evidence = await bench.quote(nonce);
        return verdictOf({ ...evidence, pcrs: new Map([...evidence.pcrs].slice(1)) });
      },
    ],
    ['of no register', 'selection', async () => verdictOf(await bench.quote(nonce, []))],
    ['by a key that signs anything', 'key', () => madeUp()],
    [
      'that is a certification',
      'malformed',
      async () => {
        const { attest, signature } = await bench.run(tpmCalls.certify(bench.key.handle, bench.ak.handle, nonce));
        return verdictOf({ ...(await bench.quote(nonce)), attest, signature: encodeTpmSignature(signature) });
      },
    ],
    ['with a log that is none', 'event-log', async () => verdictOf({ ...(await bench.quote(nonce)), eventLog: nonce })],
  ])('%s is refused (%s)', async (_name, reason, attempt) => {
    expect(await attempt()).toMatchObject({ kind: 'refused', reason });
  });

  it('is refused after any one bit of it changed', async () => {
    const evidence = await bench.quote(nonce);
    for (const part of ['attest', 'signature'] as const) {
      for (let at = 0; at < evidence[part].length; at++) {
        const altered = evidence[part].slice();
        altered[at] = (altered[at] ?? 0) ^ (1 << (at % 8));
        expect(verdictOf({ ...evidence, [part]: altered }).kind, `${part} ${at}`).toBe('refused');
      }
    }
  });

  /** A key that is not restricted signs a structure somebody wrote. */
  async function madeUp(): Promise<ReturnType<typeof verifyQuote>> {
    const evidence = await bench.quote(nonce);
    const digest = sha256(encodeTpmAttest(decodeTpmAttest(evidence.attest)));
    const signature = encodeTpmSignature(await bench.run(tpmCalls.signDigest(bench.key.handle, digest)));
    return verdictOf({ ...evidence, signature }, bench.key.area);
  }
});

describe('the event log under a quote', () => {
  const digest = (fill: number) => new Map([['sha256', new Uint8Array(32).fill(fill)]] as const);
  const log: EventLog = {
    startupLocality: 0,
    events: [
      { pcr: 4, type: 0x80000003, digests: digest(1), data: NOTHING },
      { pcr: 4, type: 0xd, digests: digest(2), data: encodeUtf8('linux') },
      { pcr: 9, type: 0xd, digests: digest(3), data: NOTHING },
    ],
  };
  const nonce = new Uint8Array(20).fill(6);

  async function measured(): Promise<Bench> {
    const machine = await Bench.open();
    for (const { pcr, digests } of log.events) {
      await machine.run(tpmCalls.pcrExtend(pcr, 'sha256', digests.get('sha256') ?? NOTHING));
    }
    return machine;
  }

  it('explains the registers it names and is silent on the others', async () => {
    const machine = await measured();
    const evidence = { ...(await machine.quote(nonce, [0, 4, 9])), eventLog: encodeEventLog(log) };
    const verdict = verifyQuote(evidence, { attestationKey: machine.ak.area, nonce });
    expect(verdict).toMatchObject({ kind: 'quoted', pcrs: replayed(log) });
    expect(eventsOf(log, 4)).toHaveLength(2);
  });

  it.each<[string, EventLog]>([
    ['leaves an event out', { ...log, events: log.events.slice(1) }],
    ['adds an event', { ...log, events: [...log.events, ...log.events.slice(2)] }],
    ['has them in another order', { ...log, events: [...log.events].reverse() }],
    ['names another digest', { ...log, events: log.events.map((event) => ({ ...event, digests: digest(9) })) }],
  ])('is refused when it %s', async (_name, altered) => {
    const machine = await measured();
    const evidence = { ...(await machine.quote(nonce, [0, 4, 9])), eventLog: encodeEventLog(altered) };
    const verdict = verifyQuote(evidence, { attestationKey: machine.ak.area, nonce });
    expect(verdict).toMatchObject({ kind: 'refused', reason: 'event-log' });
  });

  it('begins register 0 with the locality of the start', () => {
    const log0 = { startupLocality: 3, events: [{ pcr: 0, type: 8, digests: digest(1), data: NOTHING }] };
    const start = new Uint8Array(32);
    start[31] = 3;
    expect(replayEventLog(log0, 'sha256').get(0)).toEqual(extendPcr('sha256', start, new Uint8Array(32).fill(1)));
  });

  function replayed(of: EventLog): PcrBank {
    return new Map([[0, initialPcr(0, 'sha256')], ...replayEventLog(of, 'sha256')]);
  }
});

describe('a key shown in its TPM', () => {
  const data = encodeUtf8('request');
  const certify = async (by: Bench) => {
    const { attest, signature } = await by.run(tpmCalls.certify(by.key.handle, by.ak.handle, data));
    return { attest, signature: encodeTpmSignature(signature) };
  };

  it('is certified, and no other key or request is', async () => {
    const certification = await certify(bench);
    const known = { attestationKey: bench.ak.area, object: bench.key.area, data };
    expect(verifyCertified(certification, known)).toEqual({ kind: 'certified' });
    expect(verifyCertified(certification, { ...known, object: other.key.area })).toMatchObject({ reason: 'name' });
    expect(verifyCertified(certification, { ...known, data: NOTHING })).toMatchObject({ reason: 'data' });
    expect(verifyCertified(await certify(other), known)).toMatchObject({ reason: 'signature' });
  });
});

describe('the software TPM', () => {
  it('signs digests with a plain key and never with a restricted one', async () => {
    const digest = sha256(encodeUtf8('x'));
    expect((await bench.run(tpmCalls.signDigest(bench.key.handle, digest))).scheme).toBe('ecdsa');
    await expect(bench.run(tpmCalls.signDigest(bench.ak.handle, digest))).rejects.toThrow('82');
  });

  it('signs what OpenSSL verifies', async () => {
    const key = await generatePrivateKey('P-256');
    const message = encodeUtf8('message');
    for (let i = 0; i < 20; i++) {
      const { r, s } = signP256Digest(key, sha256(message), systemRandom);
      const isValid = verifySignature('ecdsa-p256-sha256', key.publicKey, message, concatBytes(r, s), 'ieee-p1363');
      expect(isValid).toBe(true);
    }
  });

  it('has three slots, forgets what was loaded at a reset and refuses keys of another TPM', async () => {
    const tpm = await Bench.open();
    const made = await tpm.run(tpmCalls.create(tpm.ek.handle, KEY));
    const loading = () => tpm.run(tpmCalls.load(tpm.ek.handle, made.privateArea, made.publicArea));
    await expect(loading()).rejects.toThrow('902');
    await tpm.run(tpmCalls.flushContext(tpm.key.handle));
    await loading();
    tpm.tpm.reset();
    await expect(tpm.run(tpmCalls.readPublic(tpm.ek.handle))).rejects.toThrow('8b');
    await other.run(tpmCalls.flushContext(other.key.handle));
    const foreign = tpmCalls.load(other.ek.handle, made.privateArea, made.publicArea);
    await expect(other.run(foreign)).rejects.toThrow('9f');
  });

  it('answers nonsense with a response code', async () => {
    const tpm = new SoftwareTpm();
    for (const bytes of [NOTHING, new Uint8Array(10), encodeUtf8('GET / HTTP/1.1')]) {
      expect(decodeTpmResponse('Startup', await tpm.execute(bytes)).kind).toBe('refused');
    }
  });
});
