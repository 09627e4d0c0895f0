import {
  espPublicKey,
  mcubootPublicKey,
  nordicPublicKey,
  nsibKeyHash,
  nxpPublicKey,
  nxpRootKeyTableHash,
  psoc64JwkOf,
} from '@holdfast/crypto';
import { encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { formatKeyAsC } from '@holdfast/wire/mcuboot';
import { encodeNsibProvision } from '@holdfast/wire/nordic';
import { encodeNxpCmpa } from '@holdfast/wire/nxp';
import { encodePem } from '@holdfast/wire/pem';

/** A key of a set, in the place it has on the device. */
export interface PlacedKey {
  /** From 0; a revoked key keeps its place, since fuses do not forget it. */
  readonly slot: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly revoked: boolean;
}

/** A file as a build, a fuse tool or a factory takes it. */
export interface KeySetFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface KeySetExportOptions {
  /** `nrf-provision`: flash addresses of the two slots of the second stage. */
  readonly s0Address?: number | undefined;
  readonly s1Address?: number | undefined;
}

type Exporter = (keys: readonly PlacedKey[], options: KeySetExportOptions) => readonly KeySetFile[];

interface Form {
  readonly places: number;
  readonly write: Exporter;
}

/** What each chip's tools take, and how many keys it has room for. */
const FORMS = {
  'mcuboot-c': { places: 8, write: mcubootSource },
  'esp32-efuse': { places: 3, write: espDigests },
  'nxp-cmpa': { places: 4, write: nxpPages },
  'nrf-provision': { places: 16, write: nsibPage },
  'psoc64-jwk': { places: 8, write: psoc64Policy },
  pem: { places: 64, write: pemFile },
} as const satisfies Readonly<Record<string, Form>>;

export type KeySetForm = keyof typeof FORMS;

export const KEY_SET_FORMS = Object.keys(FORMS) as readonly KeySetForm[];

/**
 * A set of public keys as the boot code of a chip takes it in.
 *
 * @throws `boot.bad_option` for an unknown form, no key, or one without a place; `boot.unsupported_key`
 */
export function exportKeySet(
  form: string,
  keys: readonly PlacedKey[],
  options: KeySetExportOptions = {},
): readonly KeySetFile[] {
  const name = KEY_SET_FORMS.find((known) => known === form);
  if (name === undefined)
    throw new HoldfastError('boot.bad_option', { option: 'form', allowed: KEY_SET_FORMS.join(' ') });
  const { places, write }: Form = FORMS[name];
  const ordered = keys.toSorted((a, b) => a.slot - b.slot);
  if (ordered.every(({ revoked }) => revoked) || ordered.some(({ slot }, index) => slot !== index || slot >= places))
    throw new HoldfastError('boot.bad_option', { option: 'key', places });
  return write(ordered, options);
}

const trusted = (keys: readonly PlacedKey[]): readonly PlacedKey[] => keys.filter(({ revoked }) => !revoked);
const textFile = (name: string, lines: readonly string[]): KeySetFile => ({
  name,
  bytes: encodeUtf8(`${lines.join('\n')}\n`),
});

/** The array that MCUboot is built with. @see MCUboot boot/bootutil/include/bootutil/sign_key.h */
function mcubootSource(keys: readonly PlacedKey[]): readonly KeySetFile[] {
  const arrays = trusted(keys).map(({ slot, spki }) => {
    const { rule, bytes } = mcubootPublicKey(spki);
    return { name: `${rule.exportName}_pub_key_${slot}`, bytes };
  });
  const rows = arrays.map(({ name }) => `    { .key = ${name}, .len = &${name}_len },`);
  return [
    textFile('keys.c', [
      '#include <bootutil/sign_key.h>',
      '',
      ...arrays.map((array) => formatKeyAsC(array)),
      'const struct bootutil_key bootutil_keys[] = {',
      ...rows,
      '};',
      `const int bootutil_key_cnt = ${arrays.length};`,
    ]),
  ];
}

/** @see espefuse burn-key and burn-efuse; ESP-IDF docs, security/secure-boot-v2, "Multiple Keys" */
function espDigests(keys: readonly PlacedKey[]): readonly KeySetFile[] {
  const digests = keys.map(({ slot, spki }) => ({ name: `digest${slot}.bin`, bytes: espPublicKey(spki).digest }));
  const burns = keys.map(({ slot }) => `burn-key BLOCK_KEY${slot} digest${slot}.bin SECURE_BOOT_DIGEST${slot}`);
  const revoked = keys.filter((key) => key.revoked).map(({ slot }) => `burn-efuse SECURE_BOOT_KEY_REVOKE${slot} 1`);
  return [...digests, textFile('espefuse.txt', [...burns, ...revoked])];
}

/** The page is left open: sealing it is the factory's last step. @see spsdk pfr */
function nxpPages(keys: readonly PlacedKey[]): readonly KeySetFile[] {
  const read = keys.map(({ spki }) => nxpPublicKey(spki));
  const rootKeyTableHash = nxpRootKeyTableHash(read.map(({ hash }) => hash));
  const rsa4096Only = read.every(({ signatureLength }) => signatureLength === 512);
  const page = encodeNxpCmpa({ rootKeyTableHash, secureBoot: true, rsa4096Only, vendorUsage: 0, sealed: false });
  const revoked = keys.filter((key) => key.revoked).map(({ slot }) => `revoked in CFPA.ROTKH_REVOKE: root key ${slot}`);
  return [
    { name: 'cmpa.bin', bytes: page },
    { name: 'rotkh.bin', bytes: rootKeyTableHash },
    textFile('root-keys.txt', [
      ...read.map(({ hash }, slot) => `root key hash ${slot}: ${encodeHex(hash)}`),
      `ROTKH: ${encodeHex(rootKeyTableHash)}`,
      ...revoked,
    ]),
  ];
}

/** The key that verifies ends those before it, so a revoked one is left out. @see sdk-nrf provision.py */
function nsibPage(keys: readonly PlacedKey[], { s0Address, s1Address }: KeySetExportOptions): readonly KeySetFile[] {
  if (s0Address === undefined || s1Address === undefined)
    throw new HoldfastError('boot.bad_option', { option: 's0-address, s1-address', reason: 'missing' });
  const keyHashes = trusted(keys).map(({ spki }) => nsibKeyHash(nordicPublicKey(spki)));
  const page = encodeNsibProvision({ s0Address, s1Address, keyHashes, counterSlots: { nsib: 0, mcuboot: 0 } });
  return [{ name: 'provision.bin', bytes: page }];
}

/** Key files, and the part of a device policy that names them. */
function psoc64Policy(keys: readonly PlacedKey[]): readonly KeySetFile[] {
  const FIRST_ID = 8;
  const jwks = trusted(keys).map(({ slot, spki }) => ({
    kid: FIRST_ID + slot,
    jwk: psoc64JwkOf(spki, FIRST_ID + slot),
  }));
  const policy = {
    boot_upgrade: {
      firmware: [
        { boot_auth: jwks.map(({ kid }) => kid), boot_keys: jwks.map(({ kid }) => ({ kid, key: `key_${kid}.json` })) },
      ],
    },
  };
  return [
    ...jwks.map(({ kid, jwk }) => textFile(`key_${kid}.json`, [JSON.stringify(jwk, undefined, 2)])),
    textFile('policy-keys.json', [JSON.stringify(policy, undefined, 2)]),
  ];
}

function pemFile(keys: readonly PlacedKey[]): readonly KeySetFile[] {
  return [
    {
      name: 'keys.pem',
      bytes: encodeUtf8(
        trusted(keys)
          .map(({ spki }) => encodePem('PUBLIC KEY', spki))
          .join(''),
      ),
    },
  ];
}
