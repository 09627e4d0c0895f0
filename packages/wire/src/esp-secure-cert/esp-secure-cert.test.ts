import { readFileSync } from 'node:fs';
import { concatBytes, encodeHex, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEspSecureCert,
  encodeEspSecureCert,
  ESP_SECURE_CERT_LENGTH,
  ESP_SECURE_CERT_TYPE,
  type EspSecureCertEntry,
} from './index.ts';

const FOLDER = new URL('../../vectors/esp-secure-cert/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const WHOLE = vector('partition.bin');

const entry = (type: number, value: Uint8Array, subtype = 0): EspSecureCertEntry => ({
  type,
  subtype,
  flags: 0,
  value,
});

describe('an esp_secure_cert partition', () => {
  it('has the bytes of Espressif’s tool for the same certificates and key', () => {
    const text = (name: string) => concatBytes(vector(name), Uint8Array.of(0));
    const integrity = decodeEspSecureCert(WHOLE).find(({ type }) => type === ESP_SECURE_CERT_TYPE.integrity);
    const made = encodeEspSecureCert([
      entry(ESP_SECURE_CERT_TYPE.caCertificate, text('ca.pem')),
      entry(ESP_SECURE_CERT_TYPE.deviceCertificate, text('cert.pem')),
      entry(ESP_SECURE_CERT_TYPE.privateKey, text('sec1.pem')),
      entry(ESP_SECURE_CERT_TYPE.integrity, integrity?.value ?? new Uint8Array()),
    ]);
    expect(encodeHex(made)).toBe(encodeHex(WHOLE));
  });

  it('reads back what it wrote, whether or not the erased rest of the flash follows', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc.record({
            type: fc.integer({ min: 0, max: 253 }),
            subtype: fc.integer({ min: 0, max: 16 }),
            flags: fc.constantFrom(0, 8, 64, 128),
            value: fc.uint8Array({ maxLength: 200 }),
          }),
          { maxLength: 8, selector: ({ type, subtype }) => type * 256 + subtype },
        ),
        fc.nat({ max: 64 }),
        (entries, erased) => {
          const bytes = concatBytes(encodeEspSecureCert(entries), new Uint8Array(erased).fill(0xff));
          const read = decodeEspSecureCert(bytes).map(({ type, subtype, flags, value }) => ({
            type,
            subtype,
            flags,
            value: Uint8Array.from(value),
          }));
          expect(read).toEqual(entries.map((each) => ({ ...each, value: Uint8Array.from(each.value) })));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('refuses every prefix that cuts an entry', () => {
    const ends = new Set([0, ...decodeEspSecureCert(WHOLE).map(({ offset }) => offset)]);
    for (let length = 1; length < WHOLE.length; length += 3) {
      if (ends.has(length)) continue;
      expect(() => decodeEspSecureCert(WHOLE.subarray(0, length))).toThrowError(coded('wire.truncated'));
    }
  });

  it('notices every flipped bit', () => {
    fc.assert(
      fc.property(fc.nat({ max: WHOLE.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const altered = Uint8Array.from(WHOLE);
        altered[at] = (altered[at] ?? 0) ^ (1 << bit);
        expect(() => decodeEspSecureCert(altered)).toThrow();
      }),
      { numRuns: 200 },
    );
  });

  it('answers any bytes with entries or a coded error', () => {
    const start = fc.constantFrom(new Uint8Array(), WHOLE.subarray(0, 8), WHOLE.subarray(0, 600));
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 64 }), (head, tail) => {
        try {
          decodeEspSecureCert(concatBytes(head, tail));
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
    );
  });

  const one = entry(1, Uint8Array.of(1));
  const reserved = encodeEspSecureCert([one]);
  it.each<[string, () => unknown, string]>([
    ['one entry twice', () => encodeEspSecureCert([one, one]), 'wire.duplicate'],
    ['the mark of the end as a type', () => encodeEspSecureCert([entry(254, Uint8Array.of(1))]), 'wire.malformed'],
    ['a subtype over 16', () => encodeEspSecureCert([entry(1, Uint8Array.of(1), 17)]), 'wire.malformed'],
    [
      'a value for 16 bits of length and more',
      () => encodeEspSecureCert([entry(1, new Uint8Array(65_536))]),
      'wire.malformed',
    ],
    ['more than the partition holds', () => encodeEspSecureCert([entry(1, new Uint8Array(8192))]), 'wire.too_large'],
    [
      'a file of more than a partition',
      () => decodeEspSecureCert(new Uint8Array(ESP_SECURE_CERT_LENGTH + 1)),
      'wire.too_large',
    ],
    ['one entry twice in a file', () => decodeEspSecureCert(concatBytes(reserved, reserved)), 'wire.duplicate'],
    ['another magic', () => decodeEspSecureCert(new Uint8Array(32)), 'wire.malformed'],
    [
      'something behind the erased bytes',
      () => decodeEspSecureCert(concatBytes(reserved, Uint8Array.of(0xff, 0))),
      'wire.trailing_bytes',
    ],
  ])('refuses %s', (_name, act, code) => {
    expect(act).toThrowError(coded(code));
  });
});
