import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, HoldfastError } from '@holdfast/kernel';
import {
  counterOfVersion,
  decodeBootRecord,
  decodeMcubootImage,
  encodeBootRecord,
  findTlv,
  formatVersion,
  MCUBOOT_TLV,
  parseVersion,
  readDependencies,
  readSecurityCounter,
} from './index.ts';
import { sealedSample } from './sealed-sample.ts';

const vector = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../vectors/mcuboot/${name}`, import.meta.url)));
const coded = (code: string) => expect.objectContaining({ code });
const version = fc.record({
  major: fc.nat(0xff),
  minor: fc.nat(0xff),
  revision: fc.nat(0xffff),
  build: fc.nat(0xffffffff),
});

describe('an image made by imgtool', () => {
  const image = decodeMcubootImage(vector('full-root-ec-p256.bin'));

  it('decodes to the options it was made with', () => {
    expect(formatVersion(image.header.version)).toBe('1.2.3+4');
    expect(image.header.headerSize).toBe(0x200);
    expect(readSecurityCounter(image.protectedTlvs)).toBe(counterOfVersion(parseVersion('1.2.3+4')));
    expect(readDependencies(image.protectedTlvs)).toEqual([{ imageId: 1, version: parseVersion('2.0.0+5') }]);
    expect(findTlv(image.protectedTlvs, 0xa0)).toEqual(Uint8Array.of(0xc0, 0xff, 0xee));
    expect(image.payload).toEqual(vector('app.bin'));
    expect(image.bytes).toEqual(vector('full-root-ec-p256.bin'));
  });

  it('carries a boot record that decodes and encodes to the same bytes', () => {
    const bytes = findTlv(image.protectedTlvs, MCUBOOT_TLV.bootRecord) ?? new Uint8Array(0);
    const record = decodeBootRecord(bytes);
    expect(record).toMatchObject({ softwareType: 'APP', version: '1.2.3', hash: 'sha256' });
    expect(record.signerId).toEqual(findTlv(image.unprotectedTlvs, MCUBOOT_TLV.keyHash));
    expect(encodeBootRecord(record)).toEqual(bytes);
  });

  it.each([
    ['padded-confirmed-p256.bin', { align: 8, confirmed: true, erasedValue: 0xff }],
    ['padded-maxalign16.bin', { align: 16, confirmed: true, erasedValue: 0xff }],
    ['padded-test-p256-align8.bin', { align: 8, confirmed: false, erasedValue: 0xff }],
    ['plain-root-ed25519.bin', undefined],
  ] as const)('has the trailer its options asked for: %s', (file, trailer) => {
    expect(decodeMcubootImage(vector(file)).trailer).toEqual(trailer);
  });
});

describe('a whole image', () => {
  it('reads back as it is written, whatever its metadata', () => {
    const options = fc.record(
      {
        securityCounter: fc.nat(0xffffffff),
        dependencies: fc.array(fc.record({ imageId: fc.nat(255), version }), { maxLength: 3 }),
        vendorId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        custom: fc.constant([{ type: 0xa1, value: Uint8Array.of(1, 2) }]),
        headerSize: fc.constantFrom(32, 512, 1024),
        romFixed: fc.nat(0xffffffff),
      },
      { requiredKeys: ['headerSize'] },
    );
    fc.assert(
      fc.property(options, fc.uint8Array({ minLength: 1, maxLength: 300 }), version, (spec, payload, wanted) => {
        const image = decodeMcubootImage(sealedSample({ ...spec, version: wanted }, payload));
        expect(image.payload).toEqual(payload);
        expect(image.header.version).toEqual(wanted);
        expect(readSecurityCounter(image.protectedTlvs)).toBe(spec.securityCounter);
        expect(readDependencies(image.protectedTlvs)).toEqual(spec.dependencies ?? []);
      }),
      { numRuns: 60 },
    );
  });

  it('takes the place of blank bytes when the header is not padded', () => {
    const body = new Uint8Array(100).fill(7, 64);
    const image = decodeMcubootImage(sealedSample({ headerSize: 64, padHeader: false }, body));
    expect(image.payload).toEqual(body.subarray(64));
    expect(() => sealedSample({ headerSize: 96, padHeader: false }, body)).toThrowError(coded('boot.header_not_blank'));
  });

  it.each([
    [{ headerSize: 31 }, 'boot.bad_option'],
    [{ headerSize: 0x10000 }, 'boot.bad_option'],
    [{ loadAddress: 1, romFixed: 1 }, 'boot.bad_option'],
    [{ loadAddress: 2 ** 32 }, 'boot.bad_option'],
    [{ securityCounter: -1 }, 'boot.bad_option'],
    [{ vendorId: new Uint8Array(15) }, 'boot.bad_option'],
    [{ dependencies: [{ imageId: 256, version: parseVersion('1') }] }, 'boot.bad_option'],
    [{ custom: [{ type: 0x50, value: new Uint8Array(4) }] }, 'boot.bad_option'],
    [{ custom: [{ type: 0xa0, value: new Uint8Array(70_000) }] }, 'boot.bad_option'],
    [{ version: { major: 256, minor: 0, revision: 0, build: 0 } }, 'boot.bad_version'],
  ] as const)('is not built from %j', (spec, code) => {
    expect(() => sealedSample(spec)).toThrowError(coded(code));
  });

  it('refuses every truncation', () => {
    const whole = sealedSample({ securityCounter: 1 });
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeMcubootImage(whole.subarray(0, length))).toThrowError(coded('wire.truncated'));
    }
  });

  it('refuses a protected area whose size differs from the header', () => {
    const bytes = sealedSample({ securityCounter: 1 });
    bytes[10] = 16;
    expect(() => decodeMcubootImage(bytes)).toThrowError(coded('boot.bad_header'));
  });

  it('answers any bytes after a plausible header with an image or a coded error', () => {
    const start = sealedSample().subarray(0, 96);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 96 }), fc.uint8Array({ maxLength: 80 }), (head, tail) => {
        const bytes = concatBytes(start, tail);
        bytes.set(head.subarray(0, 28), 4);
        for (const attempt of [bytes, concatBytes(start, tail), head]) {
          try {
            decodeMcubootImage(attempt);
          } catch (error) {
            expect(HoldfastError.is(error)).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
