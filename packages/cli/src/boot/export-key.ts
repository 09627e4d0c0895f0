import { createHash, type KeyObject } from 'node:crypto';
import {
  espPublicKey,
  mcubootPublicKey,
  nordicPublicKey,
  nrf5KeyBytes,
  nsibKeyHash,
  nxpPublicKey,
  psoc64JwkOf,
} from '@holdfast/crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import { formatKeyAsC, formatKeyAsRust, isNameSuffix, type KeyArray } from '@holdfast/wire/mcuboot';
import { spkiOf } from './key-files.ts';

interface ExportableKey {
  readonly key: KeyObject;
  readonly bytes: Uint8Array;
  readonly name: string;
}

const FORMS: Readonly<Record<string, (key: ExportableKey, suffix: string) => string | Uint8Array>> = {
  c: (key, suffix) => formatKeyAsC(arrayOf(key, suffix)),
  rust: (key, suffix) => formatKeyAsRust(arrayOf(key, suffix)),
  pem: ({ key }) => key.export({ type: 'spki', format: 'pem' }).toString(),
  raw: ({ bytes }) => bytes,
  hash: (key) => `${encodeHex(hashOf(key))}\n`,
  'hash-c': (key, suffix) => formatKeyAsC({ name: `${key.name}_pub_key_hash${suffix}`, bytes: hashOf(key) }),
  'hash-raw': hashOf,
};

/** What other chips' builds and fuses take, from the SubjectPublicKeyInfo. */
const CHIP_FORMS: Readonly<Record<string, (spki: Uint8Array, suffix: string) => string | Uint8Array>> = {
  'nrf5-c': (spki, suffix) => formatKeyAsC({ name: `pk${suffix}`, bytes: nrf5KeyBytes(nordicPublicKey(spki)) }),
  'nsib-hash': (spki) => `${encodeHex(nsibKeyHash(nordicPublicKey(spki)))}\n`,
  'nxp-rkh': (spki) => `${encodeHex(nxpPublicKey(spki).hash)}\n`,
  'esp32-digest': (spki) => espPublicKey(spki).digest,
  'psoc64-jwk': (spki) => `${JSON.stringify(psoc64JwkOf(spki), undefined, 2)}\n`,
};

export const EXPORT_FORMS = [...Object.keys(FORMS), ...Object.keys(CHIP_FORMS)];

/**
 * A public key as a build takes it in: for MCUboot with the names and bytes of imgtool getpub and getpubhash, for other chips as
 * their bootloader, fuses or policy hold it.
 *
 * @throws `boot.bad_option`, `boot.unsupported_key`
 */
export function exportPublicKey(publicKey: KeyObject, form: string, suffix = ''): string | Uint8Array {
  if (!isNameSuffix(suffix)) throw new HoldfastError('boot.bad_option', { option: 'name-suffix' });
  const ofChip = Object.hasOwn(CHIP_FORMS, form) ? CHIP_FORMS[form] : undefined;
  if (ofChip !== undefined) return ofChip(spkiOf(publicKey), suffix);
  const write = Object.hasOwn(FORMS, form) ? FORMS[form] : undefined;
  if (write === undefined)
    throw new HoldfastError('boot.bad_option', { option: 'form', allowed: EXPORT_FORMS.join(' ') });
  return write(exportable(publicKey), suffix);
}

function exportable(key: KeyObject): ExportableKey {
  if (key.asymmetricKeyType === 'x25519') {
    return { key, name: 'x25519', bytes: Uint8Array.from(key.export({ type: 'spki', format: 'der' })) };
  }
  const { rule, bytes } = mcubootPublicKey(key);
  return { key, name: rule.exportName, bytes };
}

function arrayOf({ name, bytes }: ExportableKey, suffix: string): KeyArray {
  return { name: `${name}_pub_key${suffix}`, bytes };
}

function hashOf({ bytes }: ExportableKey): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}
