import { ByteReader, encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSized } from './fields.ts';
import {
  decodeEventLog,
  decodeLoadableKey,
  decodeTpmAttest,
  decodeTpmPublic,
  decodeTpmRequest,
  decodeTpmResponse,
  decodeTpmSignature,
  describeTpmCode,
  encodeEventLog,
  encodeLoadableKey,
  encodeTpmAttest,
  encodeTpmPublic,
  encodeTpmRequest,
  encodeTpmResponse,
  encodeTpmSignature,
  type EventLog,
  eventText,
  hasAttributes,
  isUnknownHandle,
  TPM_HANDLE,
  TPM_OBJECT,
  tpmCalls,
  tpmMessageLength,
} from './index.ts';
import { SAMPLE } from './sample-tpm.ts';

const withoutSize = (sized: Uint8Array): Uint8Array => readSized(new ByteReader(sized), 'sample', 1024);
const coded = (code: string) => expect.objectContaining({ code });

const LOG: EventLog = {
  startupLocality: 3,
  events: [
    {
      pcr: 0,
      type: 8,
      digests: new Map([
        ['sha256', new Uint8Array(32).fill(1)],
        ['sha384', new Uint8Array(48).fill(2)],
      ]),
      data: encodeUtf8('1.2'),
    },
    {
      pcr: 4,
      type: 0x80000003,
      digests: new Map([
        ['sha256', new Uint8Array(32).fill(3)],
        ['sha384', new Uint8Array(48).fill(4)],
      ]),
      data: Uint8Array.of(0, 1),
    },
  ],
};

interface Codec {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly again?: (bytes: Uint8Array) => Uint8Array;
}

const request = encodeTpmRequest(tpmCalls.policySecret(TPM_HANDLE.endorsement, 0x03000000));
const CODECS: readonly Codec[] = [
  ...(['attestationKey', 'storageKey', 'deviceKey'] as const).map((name) => ({
    name,
    bytes: withoutSize(SAMPLE[name]),
    decode: decodeTpmPublic,
    again: (bytes: Uint8Array) => encodeTpmPublic(decodeTpmPublic(bytes)),
  })),
  {
    name: 'endorsementKey',
    bytes: SAMPLE.endorsementKey,
    decode: decodeTpmPublic,
    again: (bytes) => encodeTpmPublic(decodeTpmPublic(bytes)),
  },
  ...(['quote', 'certify'] as const).map((name) => ({
    name,
    bytes: SAMPLE[name],
    decode: decodeTpmAttest,
    again: (bytes: Uint8Array) => encodeTpmAttest(decodeTpmAttest(bytes)),
  })),
  ...(['quoteSignature', 'certifySignature'] as const).map((name) => ({
    name,
    bytes: SAMPLE[name],
    decode: decodeTpmSignature,
    again: (bytes: Uint8Array) => encodeTpmSignature(decodeTpmSignature(bytes)),
  })),
  {
    name: 'request',
    bytes: request,
    decode: decodeTpmRequest,
    again: (bytes) => encodeTpmRequest(decodeTpmRequest(bytes)),
  },
];

describe('structures of a TPM', () => {
  it.each(CODECS)('$name survives a round trip', ({ bytes, again }) => {
    expect(encodeHex(again?.(bytes) ?? bytes)).toBe(encodeHex(bytes));
  });

  it.each(CODECS)('$name refuses every truncation and a trailing byte', ({ name, bytes, decode }) => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decode(bytes.subarray(0, length)), `${name} ${length}`).toThrow(HoldfastError);
    }
    expect(() => decode(Uint8Array.of(...bytes, 0))).toThrow(HoldfastError);
  });

  it.each(CODECS)('$name answers changed and arbitrary bytes with a value or a coded error', ({ bytes, decode }) => {
    const attempt = (input: Uint8Array): void => {
      try {
        decode(input);
      } catch (error) {
        if (!HoldfastError.is(error)) throw error;
      }
    };
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      attempt(changed);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 96 }), (input) => attempt(input)),
      { numRuns: 200 },
    );
  });

  it('shows what tpm2-tools made', () => {
    const attestation = decodeTpmPublic(withoutSize(SAMPLE.attestationKey));
    expect(attestation).toMatchObject({ type: 'ecc', curve: 'P-256', scheme: { kind: 'ecdsa', hash: 'sha256' } });
    const { fixedTpm, fixedParent, restricted, sign, decrypt } = TPM_OBJECT;
    expect(hasAttributes(attestation, fixedTpm, fixedParent, restricted, sign)).toBe(true);
    expect(hasAttributes(attestation, decrypt)).toBe(false);
    expect(decodeTpmPublic(SAMPLE.endorsementKey)).toMatchObject({
      type: 'rsa',
      bits: 2048,
      symmetric: { keyBits: 128 },
    });
    expect(decodeTpmAttest(SAMPLE.quote)).toMatchObject({
      kind: 'quote',
      extraData: SAMPLE.nonce,
      selections: [{ bank: 'sha256', pcrs: [0, 1, 2, 3, 7] }],
      clockInfo: { resetCount: 2, restartCount: 0, safe: true },
    });
    expect(decodeTpmAttest(SAMPLE.certify).kind).toBe('certify');
  });

  it('refuses what another signer could have made up (magic)', () => {
    const forged = SAMPLE.quote.slice();
    forged[0] = 0;
    expect(() => decodeTpmAttest(forged)).toThrow(coded('wire.malformed'));
  });
});

describe('responses of a TPM', () => {
  it('come back as they were written, with and without sessions', () => {
    for (const sessions of [0, 1, 2]) {
      const done = { kind: 'done', handles: [0x80000000], parameters: Uint8Array.of(0, 1, 7) } as const;
      expect(decodeTpmResponse('Load', encodeTpmResponse(done, sessions))).toEqual(done);
    }
    const refused = { kind: 'refused', code: 0x99d } as const;
    expect(decodeTpmResponse('Load', encodeTpmResponse(refused, 1))).toEqual(refused);
  });

  it('are refused when their size is another', () => {
    const whole = encodeTpmResponse({ kind: 'done', handles: [], parameters: Uint8Array.of(1) }, 1);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeTpmResponse('Startup', whole.subarray(0, length))).toThrow(HoldfastError);
    }
    expect(tpmMessageLength(whole)).toBe(whole.length);
    expect(tpmMessageLength(whole.subarray(0, 5))).toBeUndefined();
    expect(() => tpmMessageLength(Uint8Array.of(0, 0, 1, 0, 0, 0))).toThrow(coded('wire.too_large'));
    expect(() => tpmMessageLength(Uint8Array.of(0, 0, 0, 0, 0, 9))).toThrow(coded('wire.malformed'));
  });

  it('have words', () => {
    expect(describeTpmCode(0x902)).toBe('TPM_RC_OBJECT_MEMORY 0x902');
    expect(describeTpmCode(0x99d)).toBe('TPM_RC_POLICY_FAIL 0x99d');
    expect(describeTpmCode(0xfff)).toBe('TPM_RC 0xfff');
    expect([isUnknownHandle(0x18b), isUnknownHandle(0x28b), isUnknownHandle(0x902)]).toEqual([true, true, false]);
  });
});

describe('the event log', () => {
  const bytes = encodeEventLog(LOG);

  it('survives a round trip', () => {
    expect(decodeEventLog(bytes)).toEqual(LOG);
    expect(LOG.events.map(eventText)).toEqual(['1.2', undefined]);
  });

  it('refuses every truncation that does not end an event', () => {
    let accepted = 0;
    for (let length = 0; length < bytes.length; length++) {
      try {
        decodeEventLog(bytes.subarray(0, length));
        accepted++;
      } catch (error) {
        expect(HoldfastError.is(error)).toBe(true);
      }
    }
    // After the header, after the locality and after the first event.
    expect(accepted).toBe(3);
  });

  it('refuses an event that leaves a bank out or names one twice', () => {
    const log = encodeEventLog({ startupLocality: 0, events: LOG.events });
    const first = 32 + 28 + 8 + 1;
    for (const [at, value] of [
      [first + 8, 1],
      [first + 12, 0x0c],
    ] as const) {
      const altered = log.slice();
      altered[at] = value;
      expect(() => decodeEventLog(altered)).toThrow(HoldfastError);
    }
  });

  it('refuses the log of TPM 1.2 and a log that is too long', () => {
    const old = bytes.slice();
    old[4] = 8;
    expect(() => decodeEventLog(old)).toThrow(coded('wire.unsupported'));
    expect(() => decodeEventLog(new Uint8Array(128 * 1024 + 1))).toThrow(coded('wire.too_large'));
  });

  it('answers arbitrary bytes with a log or a coded error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (tail) => {
        try {
          decodeEventLog(Uint8Array.of(...bytes, ...tail));
        } catch (error) {
          if (!HoldfastError.is(error)) throw error;
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the file of a key that only its TPM can load', () => {
  const key = { parent: 0x81000001, publicArea: SAMPLE.deviceKey, privateArea: Uint8Array.of(0, 2, 1, 2) };

  it('survives a round trip', () => {
    const pem = encodeLoadableKey(key);
    expect(pem).toMatch(/^-----BEGIN TSS2 PRIVATE KEY-----\n/);
    expect(decodeLoadableKey(pem)).toEqual(key);
  });

  it('refuses anything else', () => {
    expect(() => decodeLoadableKey('-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n')).toThrow(
      HoldfastError,
    );
    expect(() => decodeLoadableKey('-----BEGIN TSS2 PRIVATE KEY-----\nMAA=\n-----END TSS2 PRIVATE KEY-----\n')).toThrow(
      HoldfastError,
    );
  });
});
