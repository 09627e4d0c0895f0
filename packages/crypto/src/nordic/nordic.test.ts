import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { concatBytes, encodeHex } from '@holdfast/kernel';
import {
  decodeNrf5Package,
  encodeNrf5InitCommand,
  encodeNrf5InitPacket,
  encodeNrf5Package,
  type Nrf5InitCommand,
} from '@holdfast/wire/nordic';
import { describe, expect, it } from 'vitest';
import { nsibFirmware } from '../../../wire/src/nordic/sample-firmware.ts';
import { publishedTestKey } from '../mcuboot/index.ts';
import { acceptedTruncations, survivingPlaces } from '../primitives/sample-mutants.ts';
import {
  judgeNrf5Package,
  judgeNsibImage,
  nordicPublicKey,
  nrf5KeyBytes,
  type Nrf5SignOptions,
  nsibKeyHash,
  prepareNrf5Package,
  prepareNsibImage,
} from './index.ts';

const FOLDER = new URL('../../../wire/vectors/nordic/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const spkiOf = (key: KeyObject): Uint8Array => createPublicKey(key).export({ type: 'spki', format: 'der' });
const theirKey = createPrivateKey(readFileSync(new URL('key.pem', FOLDER)));
const theirs = nordicPublicKey(spkiOf(theirKey));
const ownKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
const own = nordicPublicKey(spkiOf(ownKey));

describe('a Secure DFU package', () => {
  const image = new Uint8Array(100).fill(5);
  const options: Nrf5SignOptions = { firmwareVersion: 4, hardwareVersion: 52 };
  const make = (change: Partial<Nrf5SignOptions> = {}): Uint8Array => {
    const prepared = prepareNrf5Package(image, { ...options, ...change });
    return prepared.finish(sign('sha256', prepared.message, ownKey));
  };

  it.each(['app', 'app-sha', 'app-ecdsa', 'external'])('of nrfutil is accepted: %s', (name) => {
    const { main, key } = judgeNrf5Package(vector(`${name}.zip`), [own, theirs]);
    expect(main.image).toEqual(vector('app.bin'));
    expect(key).toBe(theirs);
  });

  it.each([
    ['unsigned', 'boot.signature_missing'],
    ['debug', 'boot.debug_image'],
  ])('of nrfutil is refused: %s', (name, code) => {
    expect(() => judgeNrf5Package(vector(`${name}.zip`), [theirs])).toThrowError(coded(code));
  });

  it('with a debug mark passes where development allows it', () => {
    expect(judgeNrf5Package(vector('debug.zip'), [theirs], { allowDebug: true }).main.packet.command.isDebug).toBe(
      true,
    );
  });

  it.each(['application', 'softdevice', 'bootloader', 'external_application'] as const)(
    'made here is accepted as %s',
    (type) => {
      expect(judgeNrf5Package(make({ type }), [own]).main.image).toEqual(image);
    },
  );

  it('of SoftDevice and bootloader has both sizes', () => {
    const bytes = make({ type: 'softdevice_bootloader', softdeviceSize: 60, bootValidation: 'sha256' });
    expect(judgeNrf5Package(bytes, [own]).main.packet.command).toMatchObject({
      softdeviceSize: 60,
      bootloaderSize: 40,
    });
  });

  it.each<[string, Parameters<typeof judgeNrf5Package>[2], string]>([
    ['another hardware version', { hardwareVersion: 53 }, 'boot.wrong_device'],
    ['another SoftDevice', { softdevice: 0x101 }, 'boot.wrong_device'],
    ['a version below the floor', { minCounter: 5 }, 'boot.counter_too_low'],
  ])('is refused for %s', (_name, policy, code) => {
    expect(() => judgeNrf5Package(make({ softdevices: [0x100] }), [own], policy)).toThrowError(coded(code));
    const fits = { hardwareVersion: 52, softdevice: 0x100, minCounter: 4 };
    expect(judgeNrf5Package(make({ softdevices: [0x100] }), [own], fits).key).toBe(own);
  });

  const command: Nrf5InitCommand = {
    ...(decodeNrf5Package(make())[0]?.packet.command as Nrf5InitCommand),
  };
  const forge = (change: Partial<Nrf5InitCommand>, signature?: Uint8Array): Uint8Array => {
    const signed = encodeNrf5InitCommand({ ...command, ...change });
    const raw = sign('sha256', signed, { key: ownKey, dsaEncoding: 'ieee-p1363' });
    const swapped = concatBytes(raw.subarray(0, 32).toReversed(), raw.subarray(32).toReversed());
    return encodeNrf5Package('application', image, encodeNrf5InitPacket(signed, signature ?? swapped));
  };

  it.each<[string, Uint8Array, string]>([
    ['another binary', forge({ hash: new Uint8Array(32) }), 'boot.hash_mismatch'],
    [
      'a signature in the other byte order',
      forge({}, sign('sha256', encodeNrf5InitCommand(command), { key: ownKey, dsaEncoding: 'ieee-p1363' })),
      'boot.bad_signature',
    ],
    ['bytes behind the signature', forge({}, new Uint8Array(65)), 'boot.signature_encoding'],
    [
      'a boot validation by another key',
      forge({ bootValidations: [{ type: 'ecdsa', bytes: new Uint8Array(64) }] }),
      'boot.bad_signature',
    ],
    ['a boot validation of no length', forge({ bootValidations: [{ type: 'none', bytes: image }] }), 'boot.bad_header'],
  ])('is refused with %s', (_name, bytes, code) => {
    expect(() => judgeNrf5Package(bytes, [own])).toThrowError(coded(code));
  });

  it('lets no change through but those of attributes that nobody reads', () => {
    const bytes = make();
    const survivors = survivingPlaces(bytes, (mutant) => judgeNrf5Package(mutant, [own]), { count: 2500 });
    const text = new TextDecoder('latin1').decode(bytes);
    const free = survivors.filter((place) => {
      const entry = text.lastIndexOf('PK\u0001\u0002', place);
      const within = place - entry;
      // "Made by" and the attributes of a file; nothing on a device reads them.
      return !(entry >= 0 && ((within >= 4 && within < 6) || (within >= 36 && within < 42)));
    });
    expect(free).toEqual([]);
    expect(acceptedTruncations(bytes, (cut) => judgeNrf5Package(cut, [own]))).toEqual([]);
  });

  it.each<[string, Uint8Array, Partial<Nrf5SignOptions>]>([
    ['nothing', new Uint8Array(0), {}],
    ['a combined one without its split', image, { type: 'softdevice_bootloader' }],
    ['a split where there is none', image, { softdeviceSize: 4 }],
    ['a split at the end', image, { type: 'softdevice_bootloader', softdeviceSize: 100 }],
  ])('is not made of %s', (_name, payload, change) => {
    expect(() => prepareNrf5Package(payload, { ...options, ...change })).toThrowError(coded('boot.bad_option'));
  });

  it('takes no signature in another form', () => {
    expect(() => prepareNrf5Package(image, options).finish(new Uint8Array(64))).toThrowError(
      coded('boot.signature_encoding'),
    );
  });
});

describe('an NSIB image', () => {
  const firmware = nsibFirmware({ version: 6, size: 0x401 });
  const make = (payload = firmware): Uint8Array => {
    const prepared = prepareNsibImage(payload, {}, own);
    return prepared.finish(sign('sha256', prepared.message, ownKey));
  };

  it('made here is accepted, for its slot and from its version on', () => {
    const accepted = judgeNsibImage(make(), [theirs, own], { minCounter: 6, address: 0x8000, hardwareId: 53 });
    expect(accepted.firmware).toEqual(firmware);
    expect(accepted.key).toBe(own);
  });

  it.each<[string, Parameters<typeof judgeNsibImage>[2], string]>([
    ['a version below the floor', { minCounter: 7 }, 'boot.counter_too_low'],
    ['another slot', { address: 0x20000 }, 'boot.wrong_device'],
    ['another chip', { hardwareId: 52 }, 'boot.wrong_device'],
  ])('is refused for %s', (_name, policy, code) => {
    expect(() => judgeNsibImage(make(), [own], policy)).toThrowError(coded(code));
  });

  it('is refused by another key, and when only the stored digest is wrong', () => {
    expect(() => judgeNsibImage(make(), [theirs])).toThrowError(coded('boot.unknown_key'));
    const bytes = make();
    const altered = Uint8Array.from(bytes).fill(0, bytes.length - 160, bytes.length - 128);
    expect(() => judgeNsibImage(altered, [own])).toThrowError(coded('boot.hash_mismatch'));
    const signature = Uint8Array.from(bytes).fill(7, bytes.length - 4);
    expect(() => judgeNsibImage(signature, [own])).toThrowError(coded('boot.bad_signature'));
  });

  it('lets no change and no cut through', () => {
    const bytes = make();
    expect(survivingPlaces(bytes, (mutant) => judgeNsibImage(mutant, [own]), { count: 2500 })).toEqual([]);
    expect(acceptedTruncations(bytes, (cut) => judgeNsibImage(cut, [own]))).toEqual([]);
  });

  it('is not made of firmware that is cut, or has a version beyond the counter', () => {
    expect(() => prepareNsibImage(concatBytes(firmware, Uint8Array.of(0)), {}, own)).toThrowError(
      coded('boot.bad_header'),
    );
    const far = nsibFirmware({ version: 0x8000 });
    expect(() => prepareNsibImage(far, {}, own)).toThrowError(coded('boot.bad_option'));
    expect(prepareNsibImage(far, { hardwareCounter: false }, own).message).toHaveLength(32);
  });
});

describe('a key of Nordic’s bootloaders', () => {
  it('has the forms that builds take', () => {
    expect(encodeHex(nrf5KeyBytes(own).subarray(0, 32).toReversed())).toBe(encodeHex(own.point.subarray(0, 32)));
    expect(nsibKeyHash(own)).toEqual(own.digest.subarray(0, 16));
  });

  it('is P-256 and nothing else', () => {
    const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' });
    expect(() => nordicPublicKey(other)).toThrowError(coded('boot.unsupported_key'));
  });

  it('is known when nrfutil publishes it', () => {
    const published = createPrivateKey(
      `-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIGvsrpXh8m/E9bj1dq/0o1aBPQVAFJQ6Pzusx685URE0oAoGCCqGSM49\nAwEHoUQDQgAEaHYrUu/oFKIXN457GH+8IOuv6OIPBRLqoHjaEKM0wIzJZ0lhfO/A\n53hKGjKEjYT3VNTQ3Zq1YB3o5QSQMP/LRg==\n-----END EC PRIVATE KEY-----`,
    );
    expect(publishedTestKey(spkiOf(published))).toBe('nrfutil debug key');
  });
});
