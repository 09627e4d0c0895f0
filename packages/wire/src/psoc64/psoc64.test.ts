import { readFileSync } from 'node:fs';
import { encodeBase64Url, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePsoc64Policy, decodeToken, encodeToken, encodeTokenInput } from './index.ts';

const FOLDER = new URL('../../vectors/psoc64/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const total = (decode: () => unknown) => {
  try {
    decode();
  } catch (error) {
    expect(HoldfastError.is(error)).toBe(true);
  }
};

const SINGLE = 'policy_single_CM0_CM4_swap.json';
const MULTI = 'policy_multi_CM0_CM4_smif_swap.json';

describe('a device policy', () => {
  it('reads the vendor’s samples', () => {
    expect(decodePsoc64Policy(vector(SINGLE)).slots).toMatchObject([
      { id: 1, version: '0.1', upgradeMode: 'swap', boot: { address: 0x10000000, size: 0xe0000 }, smifId: 0 },
      { id: 16, monotonic: 8, upgrade: undefined },
    ]);
    expect(decodePsoc64Policy(vector(MULTI)).slots.map(({ id, smifId }) => [id, smifId])).toEqual([
      [1, 1],
      [16, 1],
    ]);
  });

  type Firmware = Record<string, unknown>;
  /** The sample with one image changed. */
  const changed = (file: string, index: number, change: (slot: Firmware) => void): Uint8Array => {
    const policy = JSON.parse(new TextDecoder().decode(vector(file))) as { boot_upgrade: { firmware: Firmware[] } };
    const slot = policy.boot_upgrade.firmware[index];
    if (slot !== undefined) change(slot);
    return encodeUtf8(JSON.stringify(policy));
  };
  const set = (file: string, index: number, change: Firmware): Uint8Array =>
    changed(file, index, (slot) => Object.assign(slot, change));
  const region = (type: string, address: number, size: number) => ({ type, address, size });
  const BOOT = region('BOOT', 0x10000000, 0x10000);

  it.each<[string, Uint8Array]>([
    ['no bootloader', set(SINGLE, 0, { id: 7 })],
    ['a bootloader that starts nothing', set(SINGLE, 0, { launch: 5 })],
    ['a key that is not there', set(SINGLE, 1, { boot_auth: [9] })],
    ['no key', set(SINGLE, 1, { boot_auth: [] })],
    ['no place to run', set(SINGLE, 1, { resources: [] })],
    ['no place for updates', set(SINGLE, 1, { resources: [BOOT] })],
    ['two places to run', set(SINGLE, 2, { resources: [BOOT, BOOT] })],
    ['a place without room', set(SINGLE, 2, { resources: [region('BOOT', 0x10000000, 0)] })],
    ['a place that is no flash', set(SINGLE, 2, { resources: [region('BOOT', 0x08000000, 4096)] })],
    ['an update on top of the image', set(SINGLE, 1, { resources: [BOOT, region('UPGRADE', 0x10008000, 0x10000)] })],
    ['an update slot of another size', set(SINGLE, 1, { resources: [BOOT, region('UPGRADE', 0x10020000, 0x8000)] })],
    ['external memory that is off', set(SINGLE, 1, { resources: [BOOT, region('UPGRADE', 0x18000000, 0x10000)] })],
    ['external memory that does not exist', set(MULTI, 1, { smif_id: 5 })],
    ['a counter that does not exist', set(SINGLE, 1, { monotonic: 16 })],
    ['a counter of the first core for the second', set(SINGLE, 2, { monotonic: 7 })],
    ['one counter for two images', set(MULTI, 1, { monotonic: 8 })],
    ['images that overlap', set(MULTI, 2, { resources: [BOOT, region('UPGRADE', 0x18200000, 0x10000)] })],
    ['one id twice', set(SINGLE, 2, { id: 1 })],
    ['a version that is a number', set(SINGLE, 1, { version: 1 })],
    ['a negative counter', set(SINGLE, 1, { rollback_counter: -1 })],
    ['nothing', encodeUtf8('{}')],
  ])('is refused with %s', (_name, bytes) => {
    expect(() => decodePsoc64Policy(bytes)).toThrowError(coded('boot.bad_policy'));
  });

  it('is a policy or a coded error, cut anywhere and whatever the bytes', () => {
    const whole = vector(MULTI);
    for (let length = 0; length < whole.length - 1; length += 7)
      expect(() => decodePsoc64Policy(whole.subarray(0, length))).toThrowError(HoldfastError);
    fc.assert(
      fc.property(fc.jsonValue(), (value) => total(() => decodePsoc64Policy(encodeUtf8(JSON.stringify(value))))),
    );
    fc.assert(fc.property(fc.uint8Array(), (bytes) => total(() => decodePsoc64Policy(bytes))));
    expect(() => decodePsoc64Policy(new Uint8Array(65_537))).toThrowError(coded('wire.too_large'));
  });
});

describe('a token', () => {
  const rot = new TextDecoder().decode(vector('rot-auth.jwt'));

  it('reads what the vendor’s tool writes and writes the same text', () => {
    const { payload, covered, signature } = decodeToken(rot);
    expect(payload).toMatchObject({ type: 'OEM_ROT_AUTH', prod_id: 'my_thing' });
    expect(encodeToken(covered, signature)).toBe(rot);
    expect(encodeTokenInput(payload)).toEqual(covered);
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (claims) => {
        const payload = JSON.parse(JSON.stringify(claims)) as Record<string, never>;
        expect(decodeToken(encodeToken(encodeTokenInput(payload), new Uint8Array(64))).payload).toEqual(payload);
      }),
      { numRuns: 50 },
    );
  });

  const part = (text: string): string => encodeBase64Url(encodeUtf8(text));
  const signature = encodeBase64Url(new Uint8Array(64));
  it.each<[string, string, string]>([
    ['no signature', `${part('{"alg":"ES256"}')}.${part('{}')}`, 'wire.malformed'],
    ['the algorithm “none”', `${part('{"alg":"none"}')}.${part('{}')}.${signature}`, 'wire.unsupported'],
    ['a key of its own', `${part('{"alg":"ES256","jwk":{}}')}.${part('{}')}.${signature}`, 'wire.unsupported'],
    ['no algorithm', `${part('{}')}.${part('{}')}.${signature}`, 'wire.unsupported'],
    ['a claim twice', `${part('{"alg":"ES256"}')}.${part('{"a":1,"a":2}')}.${signature}`, 'wire.duplicate'],
    ['a payload that is no object', `${part('{"alg":"ES256"}')}.${part('[]')}.${signature}`, 'wire.malformed'],
    ['a short signature', `${part('{"alg":"ES256"}')}.${part('{}')}.AAAA`, 'wire.malformed'],
    ['padding', `${rot}=`, 'wire.malformed'],
  ])('is refused with %s', (_name, text, code) => {
    expect(() => decodeToken(text)).toThrowError(coded(code));
  });

  it('is refused at every length that is cut, whatever the text', () => {
    for (let length = 0; length < rot.length; length++)
      expect(() => decodeToken(rot.slice(0, length))).toThrowError(HoldfastError);
    fc.assert(fc.property(fc.string(), (text) => total(() => decodeToken(text))));
  });
});
