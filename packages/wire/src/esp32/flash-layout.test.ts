import { readFileSync } from 'node:fs';
import { concatBytes, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEspOtaData,
  decodeEspPartitionTable,
  encodeEspOtaData,
  encodeEspPartitions,
  encodeEspPartitionTable,
  ESP_CHIP_TABLE,
  ESP_CHIPS,
  type EspPartition,
  findEspChip,
  otaSlots,
  selectedOtaSlot,
} from './index.ts';

const FOLDER = new URL('../../vectors/esp32/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const total = (decode: () => unknown) => {
  try {
    decode();
  } catch (error) {
    expect(HoldfastError.is(error)).toBe(true);
  }
};

describe('the table of chips', () => {
  it('finds a chip by its id and by its name, however it is spelt', () => {
    expect(new Set(ESP_CHIP_TABLE.map(({ id }) => id)).size).toBe(ESP_CHIP_TABLE.length);
    expect(ESP_CHIPS.get(5)).toBe('ESP32-C3');
    expect(findEspChip('esp32c3')).toMatchObject({ id: 5, signatureBlocks: 3, secureVersionBits: 16 });
    expect(findEspChip('ESP32-C2')).toMatchObject({ signatureBlocks: 1, secureVersionBits: 4 });
    expect(findEspChip('esp8266')).toBeUndefined();
  });
});

describe('a partition table', () => {
  const whole = vector('partition-table.bin');
  const { partitions, checksum } = decodeEspPartitionTable(whole);

  it('reads what ESP-IDF’s generator writes and writes the same bytes', () => {
    expect(partitions.map(({ label, type, subtype, offset }) => [label, type, subtype, offset])).toEqual([
      ['nvs', 1, 2, 0x9000],
      ['otadata', 1, 0, 0xf000],
      ['phy_init', 1, 1, 0x11000],
      ['factory', 0, 0, 0x20000],
      ['ota_0', 0, 0x10, 0x120000],
      ['ota_1', 0, 0x11, 0x220000],
      ['nvs_key', 1, 4, 0x320000],
      ['creds', 0x3f, 6, 0x321000],
    ]);
    expect(partitions.filter(({ encrypted, readOnly }) => encrypted || readOnly).map(({ label }) => label)).toEqual([
      'nvs_key',
      'creds',
    ]);
    expect(encodeEspPartitionTable(encodeEspPartitions(partitions), checksum?.value ?? new Uint8Array(0))).toEqual(
      whole,
    );
    expect(otaSlots(partitions.toReversed()).map(({ label }) => label)).toEqual(['ota_0', 'ota_1']);
  });

  const one: EspPartition = {
    label: 'app',
    type: 0,
    subtype: 0,
    offset: 0x10000,
    size: 0x10000,
    encrypted: false,
    readOnly: false,
  };
  const data: EspPartition = { ...one, label: 'data', type: 1, subtype: 0, offset: 0x9000, size: 0x2000 };
  it.each<[string, readonly EspPartition[], string]>([
    ['nothing', [], 'wire.malformed'],
    ['one label twice', [one, { ...one, offset: 0x20000 }], 'wire.duplicate'],
    ['an overlap', [one, { ...one, label: 'b', type: 1, subtype: 2, offset: 0x1f000 }], 'wire.malformed'],
    ['an application between pages', [{ ...one, offset: 0x11000 }], 'wire.malformed'],
    ['data between sectors', [{ ...data, offset: 0x9100 }], 'wire.malformed'],
    ['a part of a sector', [{ ...one, size: 0x1001 }], 'wire.malformed'],
    ['no room', [{ ...one, size: 0 }], 'wire.malformed'],
    ['more than the address space', [{ ...one, offset: 0xffff0000, size: 0x20000 }], 'wire.malformed'],
    ['OTA data of another size', [{ ...data, size: 0x3000 }], 'wire.malformed'],
    ['two of OTA data', [data, { ...data, label: 'b', offset: 0xb000 }], 'wire.duplicate'],
    ['a long label', [{ ...one, label: 'seventeen letters' }], 'wire.malformed'],
    [
      'more entries than fit',
      Array.from({ length: 95 }, (_, index) => ({ ...one, label: `${index}`, offset: 0x10000 * (index + 1) })),
      'wire.malformed',
    ],
  ])('is not made of %s', (_name, list, code) => {
    expect(() => encodeEspPartitions(list)).toThrowError(coded(code));
  });

  const at = (offset: number, value: number) => Uint8Array.from(whole).fill(value, offset, offset + 1);
  it.each<[string, Uint8Array, string]>([
    ['a flag nobody knows', at(28, 4), 'wire.malformed'],
    ['something behind the label’s end', at(12 + 10, 0x41), 'wire.malformed'],
    [
      'an entry behind the checksum',
      concatBytes(whole.subarray(0, 288), whole.subarray(0, 32), whole.subarray(320)),
      'wire.malformed',
    ],
    ['something behind its end', at(0xbff, 0), 'boot.trailing_bytes'],
    ['no end', whole.subarray(0, 288), 'wire.truncated'],
  ])('is refused with %s', (_name, bytes, code) => {
    expect(() => decodeEspPartitionTable(bytes)).toThrowError(coded(code));
  });

  it('is a table or a coded error, cut anywhere and whatever the bytes', () => {
    for (let length = 0; length < 320; length++)
      expect(() => decodeEspPartitionTable(whole.subarray(0, length))).toThrowError(HoldfastError);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 30, maxLength: 100 }), (bytes) =>
        total(() =>
          decodeEspPartitionTable(concatBytes(whole.subarray(0, 64), bytes, whole.subarray(64 + bytes.length))),
        ),
      ),
    );
  });
});

describe('OTA data', () => {
  const whole = vector('otadata.bin');

  it('reads what the tool writes and writes the same bytes', () => {
    const records = decodeEspOtaData(whole);
    expect(records).toEqual([
      { sequence: 1, state: 'new' },
      { sequence: 2, state: 'new' },
    ]);
    expect(encodeEspOtaData(records)).toEqual(whole);
    expect(selectedOtaSlot(records, 2)).toBe(1);
  });

  const state = fc.constantFrom('new', 'pending-verify', 'valid', 'invalid', 'aborted', 'undefined');
  const record = fc.option(fc.record({ sequence: fc.integer({ min: 1, max: 0xfffffffe }), state }), { nil: undefined });
  it('reads back what it writes', () => {
    fc.assert(
      fc.property(record, record, (one, two) => {
        expect(decodeEspOtaData(encodeEspOtaData([one, two]))).toEqual([one, two]);
      }),
      { numRuns: 40 },
    );
  });

  it('starts the newest selection that was not given up, and the factory application without one', () => {
    const at = (sequence: number, name: 'valid' | 'invalid' | 'aborted') => ({ sequence, state: name });
    expect(selectedOtaSlot([at(3, 'valid'), at(4, 'invalid')], 2)).toBe(0);
    expect(selectedOtaSlot([at(3, 'aborted'), undefined], 2)).toBeUndefined();
    expect(selectedOtaSlot([at(7, 'valid'), at(6, 'valid')], 3)).toBe(0);
    expect(selectedOtaSlot([at(7, 'valid'), undefined], 0)).toBeUndefined();
  });

  it('takes a record that was cut while it was written as none, and a state as it stands', () => {
    expect(decodeEspOtaData(Uint8Array.from(whole).fill(7, 0, 1))[0]).toBeUndefined();
    expect(decodeEspOtaData(Uint8Array.from(whole).fill(2, 24, 25))[0]).toEqual({ sequence: 1, state: 'valid' });
    expect(decodeEspOtaData(Uint8Array.from(whole).fill(9, 24, 25))[0]).toBeUndefined();
  });

  it('is refused cut or longer, and with a sequence that reads as erased', () => {
    expect(() => decodeEspOtaData(whole.subarray(0, 0x1fff))).toThrowError(coded('wire.truncated'));
    expect(() => decodeEspOtaData(concatBytes(whole, Uint8Array.of(0)))).toThrowError(coded('wire.trailing_bytes'));
    for (const sequence of [0, 0xffffffff])
      expect(() => encodeEspOtaData([{ sequence, state: 'new' }, undefined])).toThrowError(coded('boot.bad_option'));
  });
});
