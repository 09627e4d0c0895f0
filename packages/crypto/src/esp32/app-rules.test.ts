import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ByteWriter, concatBytes } from '@holdfast/kernel';
import { findEspChip } from '@holdfast/wire/esp32';
import { describe, expect, it } from 'vitest';
import { survivingPlaces } from '../primitives/sample-mutants.ts';
import {
  type EspPolicy,
  espPublicKey,
  type EspSignOptions,
  judgeSecureBootV2,
  makeEspPartitionTable,
  prepareSecureBootV2,
  readEspPartitionTable,
} from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });
const privateKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
const key = espPublicKey(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }));
const C3 = findEspChip('esp32c3');
const C2 = findEspChip('esp32c2');
if (C3 === undefined || C2 === undefined) throw new Error('the table has them');

/** An application for the chip of this id, of one segment that ends where its size says. */
function application(chipId: number, secureVersion: number, size = 0x10000): Uint8Array {
  // Header, segment header, checksum line, with nothing left over.
  const data = new Uint8Array(size - 24 - 8 - 16);
  new DataView(data.buffer).setUint32(0, 0xabcd5432, true);
  new DataView(data.buffer).setUint32(4, secureVersion, true);
  const writer = new ByteWriter(size)
    .u8(0xe9)
    .u8(1)
    .u8(2)
    .u8(0x20)
    .u32le(0x400d0000)
    .fill(0xee, 4)
    .u16le(chipId)
    .fill(0, 9)
    .u8(0);
  writer
    .u32le(0x3c000020)
    .u32le(data.length)
    .bytes(data)
    .fill(0, 15)
    .u8(data.reduce((sum, byte) => sum ^ byte, 0xef));
  return writer.finish();
}

const make = (image: Uint8Array, options: EspSignOptions = {}): Uint8Array => {
  const prepared = prepareSecureBootV2(image, options, key);
  return prepared.finish(sign('sha256', prepared.message, privateKey));
};
const judge = (image: Uint8Array, policy: EspPolicy = {}) => judgeSecureBootV2(image, [key], policy);

describe('a signed application', () => {
  it('for its chip, padded to its page and within its fuses is accepted', () => {
    const strict = { chip: C3, securePage: 0x10000, minCounter: 16 };
    expect(judge(make(application(5, 16), strict), strict).app?.descriptor?.secureVersion).toBe(16);
  });

  it.each<[string, Uint8Array, EspPolicy, string]>([
    ['another chip', application(9, 0), { chip: C3 }, 'boot.wrong_device'],
    ['a page that is not whole', application(5, 0, 0x11000), { securePage: 0x10000 }, 'boot.bad_header'],
    ['data that is no application', new Uint8Array(0x10000), { chip: C3 }, 'boot.bad_magic'],
  ])('is neither made nor accepted for %s', (_name, image, policy, code) => {
    expect(() => make(image, policy)).toThrowError(coded(code));
    expect(() => judge(make(image), policy)).toThrowError(coded(code));
  });

  it.each([
    [0, 33],
    [5, 17],
    [0x17, 10],
    [0x0c, 5],
  ])('of chip %i is not made with secure version %i, which its fuses cannot hold', (chip, version) => {
    expect(() => make(application(chip, version))).toThrowError(coded('boot.counter_too_high'));
    expect(judge(make(application(chip, version - 1))).app?.chipId).toBe(chip);
  });

  it('has one signature block where the chip reads one', () => {
    const image = make(application(0x0c, 0), { chip: C2 });
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
    const second = espPublicKey(createPublicKey(other).export({ type: 'spki', format: 'der' }));
    const append = (options: EspSignOptions) => {
      const prepared = prepareSecureBootV2(image, { append: true, ...options }, second);
      return prepared.finish(sign('sha256', prepared.message, other));
    };
    expect(() => append({ chip: C2 })).toThrowError(coded('boot.bad_option'));
    expect(() => judge(append({}), { chip: C2 })).toThrowError(coded('boot.trailing_bytes'));
  });

  it('lets no change through', () => {
    const whole = make(application(5, 1, 0x1000));
    expect(survivingPlaces(whole, (mutant) => judge(mutant), { count: 2000 })).toEqual([]);
  });
});

describe('a partition table', () => {
  const vector = new Uint8Array(
    readFileSync(new URL('../../../wire/vectors/esp32/partition-table.bin', import.meta.url)),
  );

  it('has the bytes ESP-IDF’s generator gives it', () => {
    expect(makeEspPartitionTable(readEspPartitionTable(vector))).toEqual(vector);
  });

  it('is refused without its checksum, and lets no change through', () => {
    const bare = concatBytes(vector.subarray(0, 256), new Uint8Array(0xc00 - 256).fill(0xff));
    expect(() => readEspPartitionTable(bare)).toThrowError(coded('boot.hash_missing'));
    const entries = vector.subarray(0, 352);
    expect(
      survivingPlaces(entries, (mutant) => readEspPartitionTable(concatBytes(mutant, vector.subarray(352))), {
        count: 2000,
      }),
    ).toEqual([]);
  });
});
