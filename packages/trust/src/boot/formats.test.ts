import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { describe, expect, it } from 'vitest';
import { detectFormat, IMAGE_FORMATS, type ImageFormatName, ImageVerifier } from './index.ts';

const VECTORS = new URL('../../../wire/vectors/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, VECTORS)));
const coded = (code: string) => expect.objectContaining({ code });

describe.each<[ImageFormatName, string]>([
  ['nrf5-dfu', 'nordic/app.zip'],
  ['nxp-lpc55', 'nxp/single.bin'],
  ['nxp-lpc55', 'nxp/sb8008.sb2'],
  ['rauc', 'rauc/ec.raucb'],
  ['swupdate', 'swupdate/ec.swu'],
])('the format %s', (format, file) => {
  it(`knows ${file} by how it begins, and says what it is`, () => {
    expect(detectFormat(vector(file))).toBe(format);
    expect(IMAGE_FORMATS[format].inspect(vector(file)).length).toBeGreaterThan(3);
  });

  it('refuses it without a trusted key, as a value', () => {
    expect(new ImageVerifier(format, []).verify(vector(file)).kind).toBe('refused');
  });

  it('refuses any demand for a counter that it cannot meet', () => {
    const policy = { minCounter: 0xffffffff };
    expect(new ImageVerifier(format, []).verify(vector(file), policy).kind).toBe('refused');
  });
});

describe('an image that is judged where it lies', () => {
  const anchors = [decodeCertificate(decodePem(vector('rauc/ca.pem'), 'CERTIFICATE'))];
  const sourceOf = (bytes: Uint8Array) => ({
    size: bytes.length,
    read: ({ offset, length }: { offset: number; length: number }) =>
      Promise.resolve(bytes.subarray(offset, offset + length)),
  });

  it.each<['rauc' | 'swupdate', string]>([
    ['rauc', 'rauc/ec.raucb'],
    ['swupdate', 'swupdate/ec.swu'],
  ])('gets the verdict it gets in memory: %s', async (format, file) => {
    const verifier = new ImageVerifier(format, []);
    const bytes = vector(file);
    const whole = verifier.verify(bytes, { anchors });
    const { bytes: _bytes, payload: _payload, ...rest } = { payload: undefined, bytes: undefined, ...whole };
    expect(verifier.streams).toBe(true);
    expect(await verifier.verifySource(sourceOf(bytes), { anchors })).toEqual({ ...rest, size: bytes.length });
    const cut = await verifier.verifySource(sourceOf(bytes.subarray(0, -1)), { anchors });
    expect(cut.kind).toBe('refused');
  });

  it('is offered by formats that need it alone', async () => {
    const key = createPublicKey(createPrivateKey(readFileSync(new URL('nordic/key.pem', VECTORS))));
    const verifier = new ImageVerifier('nsib', [key.export({ type: 'spki', format: 'der' })]);
    expect(verifier.streams).toBe(false);
    await expect(verifier.verifySource(sourceOf(new Uint8Array(1)))).rejects.toThrowError(
      coded('boot.unsupported_operation'),
    );
  });
});
