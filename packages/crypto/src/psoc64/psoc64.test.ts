import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodeMcubootImage } from '@holdfast/wire/mcuboot';
import { decodePsoc64Policy, decodeToken, type TokenPayload } from '@holdfast/wire/psoc64';
import { describe, expect, it } from 'vitest';
import { mcubootPublicKey } from '../mcuboot/index.ts';
import { acceptedTruncations, survivingPlaces } from '../primitives/sample-mutants.ts';
import {
  judgePsoc64Image,
  preparePsoc64Image,
  prepareToken,
  provisionCommand,
  psoc64JwkOf,
  psoc64OptionsOf,
  type Psoc64SignOptions,
  rotAuthorization,
  verifyToken,
} from './index.ts';

const FOLDER = new URL('../../../wire/vectors/psoc64/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const words = (name: string): string => new TextDecoder().decode(vector(name));
const coded = (code: string) => expect.objectContaining({ code });
const privateKey = createPrivateKey(readFileSync(new URL('key.pem', FOLDER)));
const key = mcubootPublicKey(privateKey);
const other = mcubootPublicKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey);

const boot: Psoc64SignOptions = { imageId: 1, version: '0.1', rollbackCounter: 3, slotSize: 0x20000, kind: 'boot' };
const upgrade: Psoc64SignOptions = { ...boot, imageId: 16, slotSize: 0x4000, kind: 'upgrade', external: true };
const make = (options: Psoc64SignOptions, payload = vector('app.bin')): Uint8Array => {
  const prepared = preparePsoc64Image(payload, options, key);
  return prepared.finish(sign('sha256', prepared.request.message, privateKey));
};

describe('an image for CyBootloader', () => {
  it.each([
    ['boot', 1],
    ['upgrade', 16],
  ])('of cysecuretools is accepted: %s', (name, imageId) => {
    const accepted = judgePsoc64Image(vector(`${name}.bin`), [other, key], { imageId, minCounter: 3 });
    expect(accepted).toMatchObject({ imageId, securityCounter: 3, payload: vector('app.bin') });
  });

  it.each([
    ['boot', boot],
    ['upgrade', upgrade],
  ] as const)('covers the bytes that cysecuretools covers: %s', (name, options) => {
    const theirs = decodeMcubootImage(vector(`${name}.bin`), { vendorTypes: [0x81], headerFilling: true });
    expect(preparePsoc64Image(vector('app.bin'), options, key).request.message).toEqual(theirs.covered);
  });

  it('is made for a whole slot when it is an update', () => {
    expect(judgePsoc64Image(make(upgrade), [key]).image.trailer?.confirmed).toBe(false);
    expect(make(upgrade)).toHaveLength(0x4000);
    expect(() => make({ ...upgrade, slotSize: 0x800 })).toThrowError(coded('boot.image_too_large'));
  });

  it.each<[string, Parameters<typeof judgePsoc64Image>[2], string]>([
    ['another slot', { imageId: 16 }, 'boot.wrong_device'],
    ['a counter below the floor', { minCounter: 4 }, 'boot.counter_too_low'],
  ])('is refused for %s', (_name, policy, code) => {
    expect(() => judgePsoc64Image(make(boot), [key], policy)).toThrowError(coded(code));
  });

  it('is refused by another key, and by a kind of key the chip does not know', () => {
    expect(() => judgePsoc64Image(make(boot), [other])).toThrowError(coded('boot.unknown_key'));
    const wide = mcubootPublicKey(generateKeyPairSync('ed25519').publicKey);
    expect(() => judgePsoc64Image(make(boot), [wide])).toThrowError(coded('boot.unsupported_key'));
    expect(() => preparePsoc64Image(vector('app.bin'), boot, wide)).toThrowError(coded('boot.unsupported_key'));
    expect(() => make({ ...boot, imageId: 256 })).toThrowError(coded('boot.bad_option'));
  });

  it('lets no change and no cut through', () => {
    const bytes = make(boot);
    expect(survivingPlaces(bytes, (mutant) => judgePsoc64Image(mutant, [key]), { count: 2500 })).toEqual([]);
    expect(acceptedTruncations(bytes, (cut) => judgePsoc64Image(cut, [key]))).toEqual([]);
  });

  it('takes what the policy fixes', () => {
    const policy = decodePsoc64Policy(vector('policy_multi_CM0_CM4_smif_swap.json'));
    expect(psoc64OptionsOf(policy, 16, 'upgrade')).toEqual({
      imageId: 16,
      version: '0.1',
      rollbackCounter: 0,
      slotSize: 933888,
      kind: 'upgrade',
      external: true,
      upgradeMode: 'swap',
    });
    expect(() => psoc64OptionsOf(policy, 2, 'boot')).toThrowError(coded('boot.bad_policy'));
    const encrypted = { slots: policy.slots.map((slot) => ({ ...slot, encrypted: true })) };
    expect(() => psoc64OptionsOf(encrypted, 1, 'upgrade')).toThrowError(coded('boot.bad_policy'));
  });
});

describe('a provisioning token', () => {
  const oem = JSON.parse(words('oem-pub.json')) as TokenPayload;
  const spkiOfJwk = (jwk: TokenPayload): Uint8Array =>
    createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' });
  const hsm = JSON.parse(words('hsm-pub.json')) as TokenPayload;

  it('of the vendor’s OEM and HSM is verified, and by the right one only', () => {
    expect(verifyToken(words('prov-req.jwt'), spkiOfJwk(oem))).toMatchObject({ prod_id: 'my_thing' });
    expect(verifyToken(words('rot-auth.jwt'), spkiOfJwk(oem))).toMatchObject({ hsm_pub_key: hsm });
    expect(verifyToken(words('prov-cmd.jwt'), spkiOfJwk(hsm))).toMatchObject({ type: 'HSM_PROV_CMD' });
    expect(() => verifyToken(words('prov-cmd.jwt'), spkiOfJwk(oem))).toThrowError(coded('boot.bad_signature'));
  });

  it('says the same as the vendor’s', () => {
    expect(rotAuthorization('my_thing', spkiOfJwk(oem), spkiOfJwk(hsm))).toEqual(
      decodeToken(words('rot-auth.jwt')).payload,
    );
    const parts = { prov_req: words('prov-req.jwt'), rot_auth: words('rot-auth.jwt') };
    expect(provisionCommand(parts)).toEqual(decodeToken(words('prov-cmd.jwt')).payload);
    expect(psoc64JwkOf(spkiOfJwk(oem))).toEqual(oem);
    expect(psoc64JwkOf(spkiOfJwk(oem), 8)).toMatchObject({ kid: '8' });
  });

  it('made here is verified, and lets no change through', () => {
    const prepared = prepareToken({ prod_id: 'thermostat' });
    const token = prepared.finish(sign('sha256', prepared.message, privateKey));
    const spki = key.key.spki;
    expect(verifyToken(token, spki)).toEqual({ prod_id: 'thermostat' });
    const text = new TextEncoder().encode(token);
    const judge = (bytes: Uint8Array) => verifyToken(new TextDecoder('latin1').decode(bytes), spki);
    expect(survivingPlaces(text, judge)).toEqual([]);
    expect(acceptedTruncations(text, judge)).toEqual([]);
  });
});
