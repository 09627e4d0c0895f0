import { concatBytes, encodeHex, HoldfastError } from '@holdfast/kernel';
import type { Qos } from '@holdfast/wire/mqtt';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeSinkMessages, encodeSinkMessage } from './sink-message.ts';

const messages = fc.array(
  fc.record({
    topic: fc.string({ minLength: 1, maxLength: 20 }),
    deviceId: fc.option(fc.stringMatching(/^[a-z]{1,8}$/), { nil: undefined }),
    qos: fc.constantFrom<Qos>(0, 1, 2),
    retain: fc.boolean(),
    at: fc.nat(),
    payload: fc.uint8Array({ maxLength: 40 }),
    properties: fc.uint8Array({ maxLength: 10 }),
  }),
  { maxLength: 5 },
);

it('keeps every message of a block, and counts them on', () => {
  fc.assert(
    fc.property(messages, (all) => {
      const block = concatBytes(...all.map(encodeSinkMessage));
      expect(decodeSinkMessages(block, 7, all.length)).toEqual(
        all.map((message, at) => ({ ...message, offset: 7 + at })),
      );
    }),
    { numRuns: 100 },
  );
});

const ONE = {
  topic: 't/1',
  deviceId: 'd',
  qos: 1,
  retain: true,
  at: 5,
  payload: Uint8Array.of(1),
  properties: new Uint8Array(0),
} as const;

it('writes the bytes that were written before, so that an older spool is read', () => {
  expect(encodeHex(encodeSinkMessage(ONE))).toBe('0500000000000000050003742f31000164000000000000000101');
});

it('refuses every truncation, what follows, and flags nobody sets', () => {
  const whole = encodeSinkMessage(ONE);
  for (let length = 0; length < whole.length; length++) {
    expect(() => decodeSinkMessages(whole.subarray(0, length), 0, 1)).toThrow();
  }
  expect(() => decodeSinkMessages(concatBytes(whole, Uint8Array.of(0)), 0, 1)).toThrow();
  for (const flags of [0x03, 0x07, 0x08, 0xff]) {
    const bad = Uint8Array.from(whole);
    bad[0] = flags;
    expect(() => decodeSinkMessages(bad, 0, 1)).toThrow();
  }
});

it('gives messages or one coded error for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 3 }), (bytes, count) => {
      try {
        decodeSinkMessages(bytes, 0, count);
      } catch (error) {
        expect(HoldfastError.is(error)).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});
