import { readFileSync } from 'node:fs';
import { concatBytes, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeNrf5InitPacket,
  decodeNrf5Package,
  decodeNsibFirmwareInfo,
  decodeNsibImage,
  decodeNsibProvision,
  decodeZip,
  encodeNrf5InitCommand,
  encodeNrf5InitPacket,
  encodeNrf5Package,
  encodeNsibImage,
  encodeNsibProvision,
  encodeZip,
  NRF5_FIRMWARE_TYPES,
  type Nrf5InitCommand,
} from './index.ts';
import { nsibFirmware } from './sample-firmware.ts';

const FOLDER = new URL('../../vectors/nordic/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const total = (decode: (bytes: Uint8Array) => unknown) => (bytes: Uint8Array) => {
  try {
    decode(bytes);
  } catch (error) {
    expect(HoldfastError.is(error)).toBe(true);
  }
};

describe('an archive of stored files', () => {
  it('reads what Python writes', () => {
    expect(decodeZip(vector('app.zip')).map(({ name, data }) => [name, data.length])).toEqual([
      ['manifest.json', 131],
      ['app.dat', 142],
      ['app.bin', 2000],
    ]);
  });

  it('reads back what it writes', () => {
    const file = fc.record({ name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,20}$/), data: fc.uint8Array() });
    fc.assert(
      fc.property(fc.uniqueArray(file, { selector: ({ name }) => name, maxLength: 5 }), (files) => {
        expect(decodeZip(encodeZip(files))).toEqual(files);
      }),
      { numRuns: 50 },
    );
  });

  const one = encodeZip([{ name: 'a.bin', data: encodeUtf8('hello') }]);
  const at = (offset: number, value: number) => Uint8Array.from(one).fill(value, offset, offset + 1);
  it.each<[string, Uint8Array, string]>([
    ['a folder in a name', at(31, 0x2f), 'wire.malformed'],
    ['two names for one file', at(30, 0x62), 'wire.malformed'],
    ['compression in one of the headers', Uint8Array.from(one).fill(8, 50, 51), 'wire.unsupported'],
    ['a changed byte', at(36, 0), 'boot.checksum_mismatch'],
    ['a comment', concatBytes(one, Uint8Array.of(1)), 'wire.malformed'],
    ['bytes before the first file', concatBytes(Uint8Array.of(0), one), 'wire.malformed'],
  ])('refuses %s', (_name, bytes, code) => {
    expect(() => decodeZip(bytes)).toThrowError(coded(code));
  });

  it('refuses one name twice, and a name that leads elsewhere', () => {
    const file = { name: 'a', data: new Uint8Array(0) };
    expect(() => decodeZip(encodeZip([file, file]))).toThrowError(coded('wire.duplicate'));
    expect(() => encodeZip([{ ...file, name: '../a' }])).toThrowError(coded('wire.malformed'));
  });

  it('refuses every cut and answers any bytes', () => {
    for (let length = 0; length < one.length; length++)
      expect(() => decodeZip(one.subarray(0, length))).toThrowError(HoldfastError);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), total(decodeZip)));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (tail) => total(decodeZip)(concatBytes(tail, one))));
  });
});

const command: Nrf5InitCommand = {
  firmwareVersion: 7,
  hardwareVersion: 52,
  softdevices: [0x100, 0xcb],
  type: 'application',
  softdeviceSize: 0,
  bootloaderSize: 0,
  applicationSize: 2000,
  hash: new Uint8Array(32).map((_, index) => index),
  isDebug: false,
  bootValidations: [{ type: 'crc', bytes: new Uint8Array(0) }],
};

describe('an init packet', () => {
  const whole = decodeZip(vector('app.zip'))[1]?.data ?? new Uint8Array(0);

  it('reads what nrfutil writes and writes the same bytes', () => {
    const { command: read, signed, signature } = decodeNrf5InitPacket(whole);
    expect(read).toMatchObject({ ...command, softdevices: [0x100, 0xcb], hash: expect.anything() });
    expect(encodeNrf5InitCommand(read)).toEqual(signed);
    expect(encodeNrf5InitPacket(signed, signature ?? new Uint8Array(0))).toEqual(whole);
  });

  it('reads back every command it writes', () => {
    const u32 = fc.nat(0xffffffff);
    const drawn = fc.record({
      firmwareVersion: u32,
      hardwareVersion: u32,
      softdevices: fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 16 }),
      type: fc.constantFrom(...NRF5_FIRMWARE_TYPES),
      softdeviceSize: u32,
      bootloaderSize: u32,
      applicationSize: u32,
      hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      isDebug: fc.boolean(),
      bootValidations: fc.array(
        fc.record({ type: fc.constantFrom('none', 'crc', 'sha256', 'ecdsa'), bytes: fc.uint8Array() }),
        { maxLength: 2 },
      ),
    });
    fc.assert(
      fc.property(drawn, (given) => {
        const packet = encodeNrf5InitPacket(encodeNrf5InitCommand(given), new Uint8Array(64));
        expect(decodeNrf5InitPacket(packet).command).toEqual(given);
      }),
      { numRuns: 60 },
    );
  });

  const field = (...bytes: readonly number[]) => Uint8Array.from(bytes);
  it.each<[string, Uint8Array, string]>([
    ['nothing', field(), 'wire.malformed'],
    ['a field nobody knows', field(0x1a, 0), 'wire.unsupported'],
    ['a field twice', field(0x0a, 0, 0x0a, 0), 'wire.duplicate'],
    ['fields out of order', field(0x12, 0, 0x0a, 0), 'wire.malformed'],
    ['a number in too many bytes', field(0x8a, 0, 0), 'wire.malformed'],
    ['a number over 32 bits', field(0x8a, 0xff, 0xff, 0xff, 0x7f), 'wire.malformed'],
    ['another wire type', field(0x08, 0), 'wire.malformed'],
    ['both a plain and a signed command', field(0x0a, 0, 0x12, 0), 'wire.malformed'],
    ['a reset in place of an init', field(0x0a, 2, 8, 0), 'wire.malformed'],
    ['Ed25519', field(0x12, 6, 0x0a, 0, 0x10, 1, 0x1a, 0), 'wire.unsupported'],
  ])('refuses %s', (_name, bytes, code) => {
    expect(() => decodeNrf5InitPacket(bytes)).toThrowError(coded(code));
  });

  it('refuses every cut and answers any bytes', () => {
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeNrf5InitPacket(whole.subarray(0, length))).toThrowError(HoldfastError);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), total(decodeNrf5InitPacket)));
  });

  it.each([
    ['a version over 32 bits', { firmwareVersion: 2 ** 32 }],
    ['no SoftDevice', { softdevices: [] }],
    ['a SoftDevice over 16 bits', { softdevices: [65536] }],
  ])('is not written with %s', (_name, change) => {
    expect(() => encodeNrf5InitCommand({ ...command, ...change })).toThrowError(coded('boot.bad_option'));
  });
});

describe('a Secure DFU package', () => {
  it.each(['app', 'app-sha', 'app-ecdsa', 'debug', 'boot', 'external', 'unsigned'])('reads %s of nrfutil', (name) => {
    expect(decodeNrf5Package(vector(`${name}.zip`))).toHaveLength(1);
  });

  const image = new Uint8Array(12).fill(3);
  const packet = (change: Partial<Nrf5InitCommand> = {}) =>
    encodeNrf5InitPacket(encodeNrf5InitCommand({ ...command, applicationSize: 12, ...change }), new Uint8Array(64));
  const files = decodeZip(encodeNrf5Package('application', image, packet()));
  const rezip = (name: string, text: string) =>
    encodeZip(files.map((file) => (file.name === name ? { name, data: encodeUtf8(text) } : file)));

  it('reads back what it writes, a combined one too', () => {
    expect(decodeNrf5Package(encodeNrf5Package('application', image, packet()))[0]?.image).toEqual(image);
    const sizes = { type: 'softdevice_bootloader', applicationSize: 0, softdeviceSize: 8, bootloaderSize: 4 } as const;
    const combined = encodeNrf5Package('softdevice_bootloader', image, packet(sizes));
    expect(decodeNrf5Package(combined)[0]?.packet.command).toMatchObject(sizes);
  });

  it.each<[string, Uint8Array, string]>([
    [
      'a size that is not the binary’s',
      encodeNrf5Package('application', image, packet({ applicationSize: 13 })),
      'boot.bad_header',
    ],
    [
      'a size of something else',
      encodeNrf5Package('application', image, packet({ softdeviceSize: 1 })),
      'boot.bad_header',
    ],
    [
      'a packet of another kind',
      encodeNrf5Package('application', image, packet({ type: 'bootloader' })),
      'boot.bad_header',
    ],
    ['a file nobody names', encodeZip([...files, { name: 'extra', data: image }]), 'wire.malformed'],
    ['a missing file', encodeZip(files.slice(0, 2)), 'wire.malformed'],
    ['no manifest', encodeZip(files.slice(1)), 'wire.malformed'],
    ['an empty manifest', rezip('manifest.json', '{"manifest":{}}'), 'wire.malformed'],
    ['an unknown member', rezip('manifest.json', '{"manifest":{},"x":1}'), 'wire.malformed'],
    ['a member twice', rezip('manifest.json', '{"manifest":{},"manifest":{}}'), 'wire.duplicate'],
  ])('refuses %s', (_name, bytes, code) => {
    expect(() => decodeNrf5Package(bytes)).toThrowError(coded(code));
  });
});

describe('an NSIB image', () => {
  const firmware = nsibFirmware({ size: 0x402, version: 9 });
  const seal = {
    digest: new Uint8Array(32).fill(1),
    publicKey: new Uint8Array(64).fill(2),
    signature: new Uint8Array(64).fill(3),
  };
  const whole = encodeNsibImage(firmware, seal);
  const patched = (offset: number, value: number) => {
    const copy = Uint8Array.from(whole);
    new DataView(copy.buffer).setUint32(offset, value, true);
    return copy;
  };

  it('carries the magic of the vendor’s build and reads back what it writes', () => {
    const magic = new DataView(whole.buffer, 0x404);
    // VALIDATION_INFO_MAGIC of an nRF53 build is 0x281ee6de,0x86518483,79106 (public build scripts).
    expect([0, 4, 8].map((at) => magic.getUint32(at, true))).toEqual([0x281ee6de, 0x86518483, 79106]);
    const { info, validation } = decodeNsibImage(whole);
    expect(info).toMatchObject({ offset: 0x200, version: 9, size: 0x402, address: 0x8000, hardwareId: 53 });
    expect(validation).toEqual({ address: 0x8000, ...seal });
  });

  it.each([0, 0x200, 0x400, 0x600, 0x800, 0xe00, 0x1000])('is found at 0x%s', (offset) => {
    expect(decodeNsibFirmwareInfo(nsibFirmware({ offset, size: 0x1100 })).offset).toBe(offset);
  });

  it.each<[string, Uint8Array, string]>([
    ['no structure', new Uint8Array(0x300), 'boot.bad_magic'],
    ['an invalidated structure', patched(0x200 + 32, 0), 'boot.bad_header'],
    ['a structure outside the signed region', patched(0x200 + 16, 0x230), 'boot.bad_header'],
    ['a size beyond the file', patched(0x200 + 16, 0x7fffffff), 'wire.truncated'],
    ['another layout', patched(0x200 + 8, 0x3501), 'boot.bad_header'],
    ['a start outside the image', patched(0x200 + 28, 0), 'boot.bad_header'],
    ['no block', firmware, 'boot.signature_missing'],
    ['a block of another kind', patched(0x408, 1), 'boot.signature_missing'],
    ['a block for another chip', patched(0x40c, 0x13402), 'boot.bad_header'],
    ['another algorithm', patched(0x40c, 0x23502), 'boot.unsupported_key'],
    ['a block for another address', patched(0x410, 0), 'boot.bad_header'],
    ['filled padding', Uint8Array.from(whole).fill(0, 0x402, 0x403), 'boot.trailing_bytes'],
    ['bytes behind the block', concatBytes(whole, Uint8Array.of(0)), 'boot.trailing_bytes'],
  ])('is refused with %s', (_name, bytes, code) => {
    expect(() => decodeNsibImage(bytes)).toThrowError(coded(code));
  });

  it('is refused at every length that is cut, whatever the bytes', () => {
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeNsibImage(whole.subarray(0, length))).toThrowError(HoldfastError);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 60, maxLength: 120 }), (noise) => {
        total(decodeNsibImage)(concatBytes(firmware.subarray(0, 0x208), noise));
      }),
    );
  });
});

describe('a provision page', () => {
  const page = {
    s0Address: 0x8000,
    s1Address: 0x20000,
    keyHashes: [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)],
    counterSlots: { nsib: 240, mcuboot: 0 },
  };

  it('is laid out as the vendor’s script does', () => {
    const bytes = encodeNsibProvision(page);
    expect(bytes).toHaveLength(12 + 2 * 20 + 4 + 4 + 480);
    expect([...bytes.subarray(0, 16)]).toEqual([0, 128, 0, 0, 0, 0, 2, 0, 2, 0, 0, 0, 255, 255, 255, 255]);
    expect([...bytes.subarray(52, 62)]).toEqual([1, 0, 1, 0, 1, 0, 240, 0, 255, 255]);
  });

  it.each([
    { nsib: 0, mcuboot: 0 },
    { nsib: 240, mcuboot: 0 },
    { nsib: 0, mcuboot: 3 },
    { nsib: 1, mcuboot: 2 },
  ])('reads back %o', (counterSlots) => {
    expect(decodeNsibProvision(encodeNsibProvision({ ...page, counterSlots }))).toEqual({ ...page, counterSlots });
  });

  it.each<[string, readonly Uint8Array[]]>([
    ['a short hash', [new Uint8Array(15)]],
    ['an erased half word', [new Uint8Array(16).fill(0xff, 4, 6)]],
    ['one key twice', [new Uint8Array(16), new Uint8Array(16)]],
    ['17 keys', Array.from({ length: 17 }, (_, index) => new Uint8Array(16).fill(index))],
  ])('refuses %s', (_name, keyHashes) => {
    expect(() => encodeNsibProvision({ ...page, keyHashes })).toThrowError(coded('boot.bad_option'));
  });

  it('refuses every cut, an ended key and any other bytes with a coded error', () => {
    const bytes = encodeNsibProvision(page);
    const ends = [52, bytes.length];
    for (let length = 0; length < bytes.length; length++)
      if (!ends.includes(length))
        expect(() => decodeNsibProvision(bytes.subarray(0, length))).toThrowError(HoldfastError);
    expect(() => decodeNsibProvision(Uint8Array.from(bytes).fill(0, 12, 16))).toThrowError(coded('boot.bad_header'));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), total(decodeNsibProvision)));
  });
});
